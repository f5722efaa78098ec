"""One ranking's pages: what their templates show, and the data that their charts load."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pandas as pd

from msbench.leaderboard.board import SHOWN, Ranking
from msbench.leaderboard.site import tables
from msbench.leaderboard.site.text import identifier, known, name, rounded
from msbench.leaderboard.statistics import compare

PAGES = ("Table", "Comparison", "Tracks", "Cost")
FILES = dict(zip(PAGES, ("index", "compare", "tracks", "cost"), strict=True))


class RankingPages:
    """A ranking as its pages need it.

    Args:
        ranking: The rows and the scores of every track.
        first: Whether it is the board's first, whose table is index.html.
        records: {model: its records}, for cards and costs; reported rows may have none.
    """

    scores_shown = SHOWN

    def __init__(self, ranking: Ranking, first: bool, records: dict[str, list[dict[str, Any]]]) -> None:
        self.ranking, self.records = ranking, records
        self.dataset, self.split, self.metric = ranking.dataset, ranking.split, ranking.metric
        self.targets = list(ranking.targets)
        self.place = f"{ranking.dataset}/{ranking.split}"
        tiers = sorted(set(ranking.rows["data"].map(str))) if len(ranking.rows) else []
        self.key = identifier(self.place, ranking.fingerprint, self.metric, tiers, list(ranking.rows["model"]))
        self._suffix = "" if first else f"-{self.key}"
        self.columns = tables.columns(self.targets)

    def file(self, page: str) -> str:
        """The name of one of this ranking's pages; of its table for a page that is the whole board's."""
        return f"{FILES.get(page, 'index')}{self._suffix}.html"

    def card(self, model: str) -> str:
        """The name of a model's card."""
        return f"model-{identifier(self.key, model)}.html"

    @cached_property
    def comparisons(self) -> dict[str, Any]:
        """{target: comparison by SDR}, where two models or more have scores of tracks."""
        found = {}
        for target in self.targets:
            scores = self.ranking.scores.get((target, "SDR"))
            if scores is not None and scores.shape[1] > 1 and len(scores.dropna(axis=1, how="all").dropna()) > 1:
                found[target] = compare(scores.dropna(axis=1, how="all"))
        return found

    @property
    def compared(self) -> list[str]:
        return list(self.comparisons)

    @cached_property
    def tracks(self) -> list[str]:
        """Names of all tracks that a model of it was scored on."""
        frames = [frame for frame in self.ranking.scores.values() if len(frame)]
        return [str(track) for track in frames[0].index] if frames else []

    @property
    def track_words(self) -> str:
        return f"{len(self.tracks)} tracks" if self.tracks else "no scores of single tracks"

    @property
    def caption(self) -> str:
        return "Median over tracks of each track's median SDR over windows, in dB; higher is better."

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
                "cells": tables.cells(row, self.targets, statistics),
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
            for score in SHOWN:
                frame = self.ranking.scores.get((target, score), pd.DataFrame())
                frame = frame.reindex(index=self.tracks, columns=list(rows["model"]))
                values = [[rounded(v, 2) for v in line] for line in frame.to_numpy(dtype=float, na_value=float("nan"))]
                yield (
                    f"tracks-{self.key}-{i}-{score}",
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
        values = [record["speed"]["peak_bytes"] for record in self.records.get(model, []) if "speed" in record]
        return max((value for value in values if known(value)), default=None)

    def _cost(self, target: str) -> list[list[float | None]]:
        """[median, low, high] of each model."""
        lines = {}
        if target in self.comparisons:
            lines = {line["system"]: line for line in self.comparisons[target].ranks.to_dict("records")}
        found = []
        for row in self.ranking.rows.to_dict("records"):
            line = lines.get(row["model"], {})
            found.append([rounded(row[f"{target} SDR"]), rounded(line.get("low")), rounded(line.get("high"))])
        return found


def _key(value: Any) -> str:
    """A value of a filter as one word; names from records are hashed."""
    text = str(value)
    return text if text.isascii() and text.isalnum() and len(text) <= 24 else identifier(text)


def _pairs(comparison: Any, roles: dict[Any, str]) -> dict[str, Any]:
    """Models by mean rank, and the upper triangle of pairs row by row as columns of numbers."""
    ranks = comparison.ranks.sort_values("mean_rank", kind="stable")
    systems = ranks["system"].tolist()
    place = {system: i for i, system in enumerate(systems)}
    pairs = comparison.pairs
    first, second = pairs["a"].map(place).to_numpy(), pairs["b"].map(place).to_numpy()
    low, high = pairs["low"].to_numpy(), pairs["high"].to_numpy()
    columns = {
        "a": first.tolist(),
        "b": second.tolist(),
        "n": pairs["n"].tolist(),
        "difference": [rounded(v) for v in pairs["median_difference"]],
        "low": [rounded(v) for v in low],
        "high": [rounded(v) for v in high],
        "p": [rounded(v, 5) for v in pairs["p_holm"]],
        "apart": [int(v) for v in pairs["distinguished"]],
    }
    return {
        "models": [name(system) for system in systems],
        "roles": [roles.get(system, "system") for system in systems],
        "mean_rank": [rounded(v) for v in ranks["mean_rank"]],
        "cliques": [[min(place[s] for s in c), max(place[s] for s in c)] for c in comparison.cliques],
        "friedman": rounded(friedman_p(comparison.friedman), 6),
        "flips": flips_of(comparison.flips, len(pairs)),
        "pairs": columns,
    }


def friedman_p(friedman: Any) -> Any:
    """The gate's p, however the comparison holds it."""
    return getattr(friedman, "pvalue", friedman)


def flips_of(flips: Any, pairs: int) -> list[int] | None:
    """[pairs whose order depends on the aggregation, pairs]."""
    if flips is None:
        return None
    count = flips if isinstance(flips, int) else len(flips)
    return [count, pairs]
