"""A study's page: what its template shows, and the data that its tables and figures load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from msbench.leaderboard.curves import Curve
from msbench.leaderboard.display import name
from msbench.leaderboard.paired import ALPHA
from msbench.leaderboard.site.encoding import identifier, rounded, signed
from msbench.leaderboard.study import StudyPart, StudyResults, StudyScore
from msbench.leaderboard.study_points import Panel, panels
from msbench.leaderboard.study_words import (
    EFFECTS_NOTE,
    NOTE,
    REPORTED_NOTE,
    cost_rows,
    factor_values,
    few_tracks,
    reported_rows,
    varied,
)
from msbench.metrics.wording import in_words
from msbench.records.metric_id import MetricId
from msbench.runs.naming import NamedCell
from msbench.system.wording import counted

_NUMBERS = ("median", "seed_spread", "difference", "low", "high", "p_holm")
COST_HEADS = ("Cell", "Dataset", "Parameters", "Steps", "Hours", "GPU hours", "RTF", "Peak memory (MiB)")


class StudyPage:
    """One study as its page needs it.

    Args:
        results: The study.
        curves: {cell name: its learning curve} of the board.
        cells: The suite's cells.
    """

    note, effects_note, reported_note, alpha = NOTE, EFFECTS_NOTE, REPORTED_NOTE, ALPHA
    cost_heads = COST_HEADS

    def __init__(self, results: StudyResults, curves: Mapping[str, Curve], cells: tuple[NamedCell, ...]) -> None:
        self.results = results
        known = [(cell, _curve_of(cell, curves)) for cell in cells if cell.label in results.study.cells]
        self._curves = [(cell, curve) for cell, curve in known if curve is not None]
        self.key = _key(results.name)

    @property
    def name(self) -> str:
        return self.results.name

    @property
    def file(self) -> str:
        return study_file(self.name)

    @property
    def baseline(self) -> str:
        return self.results.study.baseline

    @property
    def factors(self) -> list[tuple[str, list[str]]]:
        """(factor, its values) of those that vary."""
        return varied(self.results)

    @property
    def words(self) -> str:
        """ "6 cells that differ in separator.depth and separator.skip"."""
        names = [factor for factor, _ in self.factors]
        what = f" that differ in {' and '.join(names) if len(names) < 3 else ', '.join(names)}" if names else ""
        return f"{counted(len(self.results.study.cells), 'cell')}{what}"

    @property
    def parts(self) -> list[tuple[StudyPart, str, str]]:
        """(part, its metric in words, a warning of few tracks) of each ranking that holds cells."""
        return [
            (part, in_words(MetricId.parse(part.ranking.metric)), few_tracks(part) if part.has_baseline else "")
            for part in self.results.parts
        ]

    @property
    def costs(self) -> list[list[str]]:
        return cost_rows(self.results)

    @property
    def reported(self) -> tuple[list[str], list[list[str]], list[str]]:
        heads, rows, sources = reported_rows(self.results)
        return heads, [[*row[:1], *map(signed, row[1:])] for row in rows], sources

    @property
    def has_curves(self) -> bool:
        return bool(self._curves)

    def data(self) -> Iterator[tuple[str, Any]]:
        """(key, content) of each script in the folder data/."""
        yield f"study-{self.key}", {"baseline": name(self.baseline), "parts": [_index(part) for part in self._parts]}
        for i, part in enumerate(self._parts):
            for j, each in enumerate(part.scores):
                yield f"study-{self.key}-{i}-{j}", self._score(part, each)
        if self.has_curves:
            yield f"study-{self.key}-curves", self._drawn_curves()

    @property
    def _parts(self) -> list[StudyPart]:
        return [part for part, _, _ in self.parts]

    def _score(self, part: StudyPart, each: StudyScore) -> dict[str, Any]:
        return {
            "unit": each.unit,
            "better": each.better,
            "factors": [name(factor) for factor, _ in self.factors],
            "cells": [self._cell(each, label) for label in part.labels if label in each.cells.index],
            "effects": [_effect(line) for line in each.effects.to_dict("records")],
            "panels": [_panel(panel) for panel in panels(self.results, each)],
        }

    def _cell(self, each: StudyScore, label: str) -> dict[str, Any]:
        line = each.cells.loc[label]
        counts = {field: int(line[field]) for field in ("seeds", "tracks", "common")}
        values = [name(value) for value in factor_values(self.results, label)]
        return {"label": name(label), "factors": values, **counts, **_numbers(line), "verdict": line["verdict"]}

    def _drawn_curves(self) -> list[dict[str, Any]]:
        found = []
        for cell, curve in self._curves:
            seed = "" if cell.seed is None else f", seed {cell.seed}"
            run = name(f"{cell.label}, {cell.dataset}{seed}")
            head = {"label": name(cell.label), "run": run, "score": curve.score}
            found.append({**head, "steps": curve.steps, "values": curve.values})
        return found


def _curve_of(cell: NamedCell, curves: Mapping[str, Curve]) -> Curve | None:
    """A cell's curve; where its recipe is gone, that of the one name which begins like the cell's."""
    if cell.identity is not None:
        return curves.get(cell.name)
    begun = [curve for known, curve in curves.items() if known.rpartition("-")[0] == cell.name]
    return begun[0] if len(begun) == 1 else None


def study_file(study: str) -> str:
    """The name of a study's page."""
    return f"study-{_key(study)}.html"


def _key(study: str) -> str:
    return identifier("study", study)


def _index(part: StudyPart) -> dict[str, Any]:
    scores = [
        {"target": name(each.target), "name": f"{each.name}{f' ({each.unit})' if each.unit else ''}"}
        for each in part.scores
    ]
    return {"label": f"{part.place}, {in_words(MetricId.parse(part.ranking.metric))}", "scores": scores}


def _numbers(line: pd.Series[Any] | dict[str, Any]) -> dict[str, float | None]:
    return {field: _significant(line[field]) for field in _NUMBERS if field in line}


def _significant(value: Any) -> float | None:
    """Five digits of a number, however small: a distance of spectrograms is about 0.001."""
    return None if rounded(value) is None else float(f"{value:.5g}")


def _effect(line: dict[Any, Any]) -> dict[str, Any]:
    words = {field: name(line[field]) for field in ("factor", "level", "baseline_level")}
    counts = {field: int(line[field]) for field in ("combinations", "common")}
    return {**words, **counts, **_numbers(line), "verdict": line["verdict"]}


def _panel(panel: Panel) -> dict[str, Any]:
    points = [
        {
            "label": name(point.label),
            "x": point.position,
            "series": name(point.series, 120),
            "y": _significant(point.difference),
            "low": _significant(point.low),
            "high": _significant(point.high),
            "reported": point.reported,
        }
        for point in panel.points
    ]
    return {
        "factor": name(panel.factor),
        "levels": [name(level) for level in panel.levels],
        "numeric": panel.numeric,
        "points": points,
    }
