"""What a study's figures show: differences to the baseline by the value of each factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msbench.leaderboard.display import factor_value, is_number
from msbench.leaderboard.study import StudyResults, StudyScore

CELLS = "cell"  # the axis of a study whose cells differ in no factor


@dataclass(frozen=True)
class Point:
    """One cell, or one reported figure, on the panel of a factor.

    Attributes:
        position: The value of a numeric factor; else the place of the level among the axis' levels.
        series: The values of the other factors, which a line joins.
        low: Of the interval; None for the baseline and for reported figures.
    """

    label: str
    position: float
    series: str
    difference: float
    low: float | None
    high: float | None
    reported: bool


@dataclass(frozen=True)
class Panel:
    """The figure of one factor.

    Attributes:
        factor: Its name; several where they only change together.
        levels: The values, in the order of the axis.
        numeric: Whether positions are the values themselves.
    """

    factor: str
    levels: list[str]
    numeric: bool
    points: list[Point]


def panels(results: StudyResults, each: StudyScore) -> list[Panel]:
    """A panel per factor, of one score of one target."""
    axes: list[tuple[str, ...]] = results.axes or [()]
    return [_panel(results, each, axis, axes) for axis in axes]


def _panel(results: StudyResults, each: StudyScore, axis: tuple[str, ...], axes: list[tuple[str, ...]]) -> Panel:
    cells = results.study.cells
    if not axis:
        levels = list(cells)
        return Panel(CELLS, levels, False, _of_cells(results, each, {label: i for i, label in enumerate(levels)}))
    inner = {label: values for label, values in cells.items() if values.keys() >= set(axis)}
    numeric = len(axis) == 1 and all(is_number(values[axis[0]]) for values in inner.values())
    words = {label: ", ".join(factor_value(values[factor]) for factor in axis) for label, values in inner.items()}
    levels = list(dict.fromkeys(words.values()))
    if numeric:
        levels.sort(key=float)
    place = {level: float(level) if numeric else float(i) for i, level in enumerate(levels)}
    points = _of_cells(results, each, {label: place[words[label]] for label in inner}, axis, axes)
    return Panel(", ".join(axis), levels, numeric, [*points, *_reported(results, each, axis, place)])


def _of_cells(
    results: StudyResults,
    each: StudyScore,
    places: Mapping[str, float],
    axis: tuple[str, ...] = (),
    axes: list[tuple[str, ...]] | None = None,
) -> list[Point]:
    found = []
    for label, position in places.items():
        if label not in each.cells.index:
            continue
        line = each.cells.loc[label]
        is_baseline = label == results.study.baseline
        if not is_baseline and not is_number(line["difference"]):
            continue
        low, high = (None, None) if is_baseline else (float(line["low"]), float(line["high"]))
        difference = 0.0 if is_baseline else float(line["difference"])
        series = _series(results.study.cells[label], axis, axes or [])
        found.append(Point(label, position, series, difference, low, high, reported=False))
    return found


def _reported(
    results: StudyResults, each: StudyScore, axis: tuple[str, ...], places: Mapping[str, float]
) -> list[Point]:
    """Figures of papers that have a difference of this score, at the levels that the study has too."""
    found = []
    for line in results.reported:
        factors, key = line.figure.factors, (each.target, each.name)
        level = ", ".join(factor_value(factors[factor]) for factor in axis if factor in factors)
        difference = 0.0 if line.is_baseline and key in line.figure.scores else line.differences.get(key)
        if difference is not None and level in places:
            others = _series(factors, axis, results.axes)
            series = f"reported: {line.figure.citation}{f' ({others})' if others else ''}"
            found.append(Point(line.figure.system, places[level], series, difference, None, None, reported=True))
    return found


def _series(values: Mapping[str, Any], axis: tuple[str, ...], axes: list[tuple[str, ...]]) -> str:
    others = [factor for other in axes if other != axis for factor in other if factor in values]
    return ", ".join(f"{factor} {factor_value(values[factor])}" for factor in others)
