"""The data that the charts of a ranking's pages load, as little at a time as a chart needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msbench.leaderboard.display import name
from msbench.leaderboard.site.encoding import rounded
from msbench.leaderboard.site.ranking import RankingPages
from msbench.leaderboard.site.tables import IN_DECIBELS
from msbench.leaderboard.statistics import Comparison, RankedGroup


def chart_data(pages: RankingPages) -> Iterator[tuple[str, Any]]:
    """(key, content) of each script in the folder data/."""
    rows = pages.ranking.rows
    roles = {row.model: row.role for row in rows}
    head = {"models": [name(row.model) for row in rows], "roles": list(roles.values())}
    for i, comparison in enumerate(pages.comparisons.values()):
        yield f"pairs-{pages.key}-{i}", _pairs(comparison, roles)
    tracks = [name(track) for track in pages.tracks]
    for i, target in enumerate(pages.targets):
        for j, score in enumerate(pages.scores_shown):
            own = {"values": _values(pages, target, score), "noise": score in IN_DECIBELS}  # beyond `NOISE_DB`
            yield f"tracks-{pages.key}-{i}-{j}", {**head, "tracks": tracks, **own}
    yield f"cost-{pages.key}", {**head, "targets": [_intervals(pages, each) for each in pages.targets], **_costs(pages)}


def _values(pages: RankingPages, target: str, score: str) -> list[list[float | None]]:
    """A line per track, of all models."""
    models = [row.model for row in pages.ranking.rows]
    frame = pages.ranking.scores(target, score).reindex(index=pages.tracks, columns=models)
    return [[rounded(v, 2) for v in line] for line in frame.to_numpy(dtype=float, na_value=float("nan")).tolist()]


def _costs(pages: RankingPages) -> dict[str, list[Any]]:
    rows = pages.ranking.rows
    return {
        "rtf": [rounded(row.rtf, 5) for row in rows],
        "parameters": [rounded(row.parameters or None, 0) for row in rows],
        "memory": [rounded(_peak_bytes(pages, row.model), 0) for row in rows],
        "cards": [pages.card(row.model) for row in rows],
    }


def _peak_bytes(pages: RankingPages, model: str) -> float | None:
    """The most memory that a model's separation held, over seeds."""
    values = [record["speed"]["peak_bytes"] for record in pages.ranking.records[model]]
    return max((value for value in values if value is not None), default=None)


def _intervals(pages: RankingPages, target: str) -> list[list[float | None]]:
    """[median, low, high] of each model."""
    lines = {}
    if target in pages.comparisons:
        lines = {line["system"]: line for line in pages.comparisons[target].systems.to_dict("records")}
    found = []
    for row in pages.ranking.rows:
        line = lines.get(row.model, {})
        own = row.scores[target][pages.ranking.shown[0]]
        found.append([rounded(own), rounded(line.get("low")), rounded(line.get("high"))])
    return found


def _pairs(comparison: Comparison, roles: dict[str, str]) -> dict[str, Any]:
    """Models, the best median first; their pairs as columns of numbers; and each group's mean ranks."""
    systems = comparison.systems.sort_values("median", ascending=False, kind="stable")["system"].tolist()
    index = {system: i for i, system in enumerate(systems)}
    pairs = comparison.pairs
    columns = {
        "a": pairs["a"].map(index).tolist(),
        "b": pairs["b"].map(index).tolist(),
        "n": pairs["n"].tolist(),
        "difference": [rounded(v) for v in pairs["median_difference"]],
        "low": [rounded(v) for v in pairs["low"]],
        "high": [rounded(v) for v in pairs["high"]],
        "p": [rounded(v, 5) for v in pairs["p_holm"]],
        "distinguished": [int(v) for v in pairs["distinguished"]],
    }
    reversed_pairs = pairs[pairs["order_reversed"]].to_dict("records")
    return {
        "models": [name(system) for system in systems],
        "roles": [roles[system] for system in systems],
        "reversed": [[index[line["a"]], index[line["b"]]] for line in reversed_pairs],
        "groups": [_group(ranked, index) for ranked in comparison.ranked if len(ranked.ranks) > 1],
        "pairs": columns,
    }


def _group(ranked: RankedGroup, index: dict[str, int]) -> dict[str, Any]:
    """A group's models by mean rank, and its cliques as spans of them."""
    systems = ranked.ranks["system"].tolist()
    at = {system: i for i, system in enumerate(systems)}
    return {
        "label": str(ranked.group),
        "tracks": ranked.tracks,
        "models": [index[system] for system in systems],
        "mean_rank": [rounded(v) for v in ranked.ranks["mean_rank"]],
        "cliques": [[at[clique[0]], at[clique[-1]]] for clique in ranked.cliques],
        "friedman": rounded(ranked.friedman, 6),
    }
