"""One ranking's pages: what their templates show, and the data that their charts load."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from msbench.leaderboard.board import Ranking
from msbench.leaderboard.display import name
from msbench.leaderboard.site import tables
from msbench.leaderboard.site.encoding import identifier, rounded
from msbench.leaderboard.statistics import Comparison
from msbench.records.metric_id import MetricId

WITHOUT_UNIT = ("l1-spectrogram", "stoi", "pesq")
PAGES = ("Table", "Comparison", "Tracks", "Cost")
FILES = dict(zip(PAGES, ("index", "compare", "tracks", "cost"), strict=True))


class RankingPages:
    """A ranking as its pages need it.

    Args:
        ranking: The rows and the scores of every track.
        first: Whether it is the board's first, whose table is index.html.
    """

    def __init__(self, ranking: Ranking, first: bool) -> None:
        self.ranking = ranking
        self.dataset, self.split, self.metric = ranking.dataset, ranking.split, ranking.metric
        self.targets = list(ranking.targets)
        self.place = f"{ranking.dataset}/{ranking.split}"
        tiers = sorted(set(ranking.rows["data"].map(str))) if len(ranking.rows) else []
        self.key = identifier(self.place, ranking.fingerprint, self.metric, tiers, list(ranking.rows["model"]))
        self._suffix = "" if first else f"-{self.key}"
        self.scores_shown = [*ranking.shown, *ranking.beside]
        self.columns = tables.columns(self.targets, self.scores_shown)

    def file(self, page: str) -> str:
        """The name of one of this ranking's pages; of its table for a page that is the whole board's."""
        return f"{FILES.get(page, 'index')}{self._suffix}.html"

    def card(self, model: str) -> str:
        """The name of a model's card."""
        return f"model-{identifier(self.key, model)}.html"

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """{target: comparison}, where two models or more have scores of tracks."""
        with ThreadPoolExecutor() as pool:  # numpy sorts and adds up outside the interpreter's lock
            found = zip(self.targets, pool.map(self.ranking.comparison, self.targets), strict=True)
            return {target: comparison for target, comparison in found if comparison is not None}

    @property
    def compared(self) -> list[str]:
        return list(self.comparisons)

    @cached_property
    def tracks(self) -> list[str]:
        """Names of all tracks that a model of it was scored on."""
        scores = self.ranking.scores(self.targets[0], self.scores_shown[0])
        return [str(track) for track in scores.index]

    @property
    def track_words(self) -> str:
        return f"{len(self.tracks)} tracks" if self.tracks else "no scores of single tracks"

    @property
    def score_labels(self) -> list[str]:
        """Of the scores to choose from, with their unit."""
        labels = [MetricId.parse(score).family for score in self.scores_shown]
        return [label if label in WITHOUT_UNIT else f"{label} (dB)" for label in labels]

    @property
    def caption(self) -> str:
        if MetricId.parse(self.metric).family.startswith("bsseval"):
            return "Median over tracks of each track's median SDR over windows, in dB; higher is better."
        return f"{self.scores_shown[0]} in dB, as the metric id says; higher is better."

    note = tables.NOTE

    @property
    def compare_words(self) -> str:
        return (
            "Each pair of models by the Wilcoxon signed-rank test over their common tracks, corrected by Holm over all "
            "its pairs. A pair that does not pass is not distinguished: these tracks cannot tell the two apart."
        )

    @property
    def filters(self) -> list[tuple[str, list[dict[str, str]]]]:
        """(field, values) of the check boxes; a field of one value needs none."""
        groups = []
        for field in ("tier", "data", "role"):
            values = list(dict.fromkeys(self.ranking.rows[field].map(str)))
            if len(values) > 1:
                groups.append((field, [{"key": _key(value), "label": value} for value in values]))
        return groups

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The table's rows."""
        statistics = {target: tables.TargetStatistics(found) for target, found in self.comparisons.items()}
        return [
            {
                "model": row["model"], "role": _key(row["role"]), "tier_key": _key(row["tier"]),
                "data_key": _key(row["data"]), "card": self.card(row["model"]),
                "cells": tables.cells(row, self.targets, self.scores_shown, statistics),
            }
            for row in self.ranking.rows.to_dict("records")
        ]  # fmt: skip

    def data(self) -> Iterator[tuple[str, Any]]:
        """(key, content) of what the charts load, as little at a time as a chart needs."""
        rows = self.ranking.rows
        models = [name(model) for model in rows["model"]]
        roles = [str(role) for role in rows["role"]]
        tracks = [name(track) for track in self.tracks]
        for i, (_, comparison) in enumerate(self.comparisons.items()):
            yield (
                f"pairs-{self.key}-{i}",
                _pairs(comparison, {row["model"]: str(row["role"]) for _, row in rows.iterrows()}),
            )
        for i, target in enumerate(self.targets):
            for j, score in enumerate(self.scores_shown):
                frame = self.ranking.scores(target, score).reindex(index=self.tracks, columns=list(rows["model"]))
                values = [[rounded(v, 2) for v in line] for line in frame.to_numpy(dtype=float, na_value=float("nan"))]
                yield (
                    f"tracks-{self.key}-{i}-{j}",
                    {"models": models, "roles": roles, "tracks": tracks, "values": values},
                )
        yield (
            f"cost-{self.key}",
            {"models": models, "roles": roles, "targets": [self._cost(t) for t in self.targets], **self._costs()},
        )

    def _costs(self) -> dict[str, list[Any]]:
        rows = self.ranking.rows
        return {
            "rtf": [rounded(value, 5) for value in rows["rtf"]],
            "parameters": [rounded(value or None, 0) for value in rows["parameters"]],
            "memory": [rounded(self._peak_bytes(model), 0) for model in rows["model"]],
            "cards": [self.card(model) for model in rows["model"]],
        }  # fmt: skip

    def _peak_bytes(self, model: str) -> float | None:
        """The most memory that its separation held, over seeds."""
        values = [record["speed"]["peak_bytes"] for record in self.ranking.records[model] if "speed" in record]
        return max((value for value in values if value is not None), default=None)

    def _cost(self, target: str) -> list[list[float | None]]:
        """[median, low, high] of each model."""
        lines = {}
        if target in self.comparisons:
            lines = {line["system"]: line for line in self.comparisons[target].systems.to_dict("records")}
        found = []
        for row in self.ranking.rows.to_dict("records"):
            line = lines.get(row["model"], {})
            own = row[f"{target} {self.scores_shown[0]}"]
            found.append([rounded(own), rounded(line.get("low")), rounded(line.get("high"))])
        return found


def _key(value: Any) -> str:
    """A value of a filter as one word; names from records are hashed."""
    text = str(value)
    return text if text.isascii() and text.isalnum() and len(text) <= 24 else identifier(text)


def _pairs(comparison: Comparison, roles: dict[Any, str]) -> dict[str, Any]:
    """Models, the best median first; their pairs as columns of numbers; and each group's mean ranks."""
    systems = comparison.systems.sort_values("median", ascending=False, kind="stable")["system"].tolist()
    place = {system: i for i, system in enumerate(systems)}
    pairs = comparison.pairs
    columns = {
        "a": pairs["a"].map(place).tolist(),
        "b": pairs["b"].map(place).tolist(),
        "n": pairs["n"].tolist(),
        "difference": [rounded(v) for v in pairs["median_difference"]],
        "low": [rounded(v) for v in pairs["low"]],
        "high": [rounded(v) for v in pairs["high"]],
        "p": [rounded(v, 5) for v in pairs["p_holm"]],
        "apart": [int(v) for v in pairs["distinguished"]],
    }
    turned = [[place[line["a"]], place[line["b"]]] for line in pairs[pairs["turned"]].to_dict("records")]
    return {
        "models": [name(system) for system in systems],
        "roles": [roles.get(system, "system") for system in systems],
        "turned": turned,
        "groups": [_group(ranked, place) for ranked in comparison.ranked if len(ranked.ranks) > 1],
        "pairs": columns,
    }


def _group(ranked: Any, place: dict[str, int]) -> dict[str, Any]:
    """Of one group: its models by mean rank, and the cliques as spans of them."""
    systems = ranked.ranks["system"].tolist()
    at = {system: i for i, system in enumerate(systems)}
    return {
        "label": str(ranked.group),
        "tracks": ranked.tracks,
        "models": [place[system] for system in systems],
        "mean_rank": [rounded(v) for v in ranked.ranks["mean_rank"]],
        "cliques": [[at[clique[0]], at[clique[-1]]] for clique in ranked.cliques],
        "friedman": rounded(ranked.friedman, 6),
    }
