"""The table page of a ranking: every cell as text, with its value to sort by and its interval to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from msbench.leaderboard import display
from msbench.leaderboard.display import MISSING, count, is_number
from msbench.leaderboard.rows import Row
from msbench.leaderboard.site.encoding import signed
from msbench.leaderboard.statistics import Comparison
from msbench.metrics.wording import in_words
from msbench.records.metric_id import MetricId
from msbench.records.schema import METRICS

NOTE = (
    "Bars: 95% bootstrap interval of the median over tracks, on one scale per target. Ranks and places are counted "
    "among systems of one tier and one kind of training data that were scored on the same tracks; systems that share "
    "a letter are not distinguished (Wilcoxon signed-rank test with Holm's correction over all pairs). Gain: dB above "
    "the higher floor. Ceilings see the true stems; floors are the mixture itself. ∞: above 100 dB, where a score is "
    "rounding noise, as the SAR of the mixture, which holds no artifacts. A dash: no value."
)


IN_DECIBELS = frozenset((*METRICS, "NSDR"))


@dataclass(frozen=True)
class Bar:
    """An interval and its point on the column's scale, as CSS places two backgrounds: in percent of the free width."""

    point: float
    start: float
    width: float


_OPTIONAL = {  # column -> its head, and what that says on a closer look
    "inference": ("Inference", "how it was run, where not as by default"),
    "weights": ("Weights", "the name of published ones"),
    "licence": ("License", "of published weights"),
}


@dataclass(frozen=True)
class Column:
    """A column's head. `views` names those in which it is shown, or nothing for all."""

    label: str
    kind: str
    views: str = ""
    first: str = "descending"
    help: str = ""


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and what it is sorted by."""

    text: str
    kind: str
    value: float | str | None = None
    views: str = ""
    bar: Bar | None = None
    title: str = ""


def columns(targets: list[str], scores: list[str], choices: list[str], told: list[str]) -> list[Column]:
    """The heads, in the order of `cells`; the first of the scores ranks, and `choices` can take its place.

    `told` names columns of `rows.OPTIONAL`.
    """
    first, *others = scores
    found = [
        Column("Rank", "number", _of_all_targets(choices), "ascending", f"by mean {first}, systems only"),
        Column("Model", "model", "", "ascending"),
    ]
    for i, target in enumerate(targets):
        own = f"t{i}"
        found += [
            Column("Place", "number", own, "ascending", f"by median {first}; in parentheses its 95% interval"),
            Column(target, "score", f"all {own}", "descending", f"{target}: median {first} in dB"),
            Column("95% interval", "number", own),
            Column("Gain", "number", own, "descending", f"{first} above the higher floor, dB"),
            *(_of_score(target, score, own, choices) for score in others),
            Column("Not distinguished", "word", own, "ascending", "rows that share a letter are not distinguished"),
            Column("P(best)", "number", own, "descending", "share of resamples in which it ranks first"),
        ]
    return [
        *found,
        Column("Parameters", "number", "", "ascending"),
        Column("RTF", "number", "", "ascending", "seconds of separation per second of audio"),
        Column("Seeds", "number"),
        Column("Tracks", "number"),
        Column("Role", "word", "", "ascending"),
        Column("Tier", "word", "", "ascending"),
        Column("Data", "word", "", "ascending"),
        *(Column(label, "word", "", "ascending", words) for label, words in (_OPTIONAL[name] for name in told)),
    ]


def _of_all_targets(choices: list[str]) -> str:
    """The views of all targets: "all" shows the score that ranks; each other view is named after its score."""
    return " ".join(("all", *choices[1:]))


def _of_score(target: str, score: str, view: str, choices: list[str]) -> Column:
    if score not in choices:
        metric = MetricId.parse(score)
        return Column(metric.family, "number", view, help=in_words(metric))
    label = f"{display.name(target, 32)} {score}"
    return Column(label, "score", f"{view} {score}", help=f"{target}: median {score} in dB")


def cells(
    row: Row, scores: list[str], choices: list[str], comparisons: dict[str, TargetStatistics], told: list[str]
) -> list[Cell]:
    """One row of the table, in the order of `columns`."""
    found = [
        Cell("" if row.rank is None else str(row.rank), "number", _sortable(row.rank), _of_all_targets(choices)),
        Cell(row.model, "model"),
    ]
    for i, target in enumerate(row.scores):
        numbers = _numbers(row, target, scores, f"t{i}", choices)
        found += _of_target(row.model, row.scores[target][scores[0]], numbers, f"t{i}", comparisons.get(target))
    parameters = row.parameters or None
    return [
        *found,
        Cell(count(parameters), "number", _sortable(parameters)),
        Cell(_decimals(row.rtf, 3), "number", _sortable(row.rtf)),
        *(Cell(str(value or MISSING), "number", _sortable(value or None)) for value in (row.seeds, row.tracks)),
        *(Cell(value, "word") for value in (row.role, row.tier, row.data)),
        *(Cell(display.name(getattr(row, name), 60), "word") for name in told),
    ]


def _numbers(row: Row, target: str, scores: list[str], view: str, choices: list[str]) -> list[Cell]:
    """The gain, then the scores that do not rank."""
    found = [Cell(_decibels(row.gains[target], scores[0]), "number", _sortable(row.gains[target]), view)]
    for score in scores[1:]:
        value = row.scores[target][score]
        kind, views = ("score", f"{view} {score}") if score in choices else ("number", view)
        found.append(Cell(_decibels(value, score), kind, _sortable(value), views))
    return found


def _of_target(
    model: str, first: float | None, numbers: list[Cell], view: str, statistics: TargetStatistics | None
) -> list[Cell]:
    line = None if statistics is None else statistics.lines.get(model)
    if statistics is None or line is None:
        blank = Cell(MISSING, "number", "", view)
        return [
            blank,
            Cell(_decibels(first), "score", _sortable(first), f"all {view}"),
            blank,
            *numbers,
            Cell(MISSING, "word", None, view),
            blank,
        ]
    letters = statistics.letters.get(model, "")
    place = statistics.places.get(model)
    where = f", place {_span(place)}" if place else ""
    best = place["probability_best"] if place else None
    return [
        Cell(
            f"{place['rank']:.0f} ({_span(place)})" if place else MISSING,
            "number",
            _sortable(place["rank"] if place else None),
            view,
        ),
        Cell(
            _decibels(first),
            "score",
            _sortable(first),
            f"all {view}",
            statistics.bar(line),
            f"95% interval {_interval(line)} dB{where}",
        ),
        Cell(_interval(line), "number", _sortable(line["low"]), view),
        *numbers,
        Cell(letters, "word", None, view),
        Cell(_decimals(best), "number", _sortable(best), view),
    ]


def _decimals(value: Any, digits: int = 2) -> str:
    return signed(display.decimals(value, digits))


def _decibels(value: Any, score: str = "SDR") -> str:
    return signed(display.decibels(value) if score in IN_DECIBELS else display.decimals(value))


def _span(line: Any) -> str:
    low, high = int(line["rank_low"]), int(line["rank_high"])
    return str(low) if low == high else f"{low}–{high}"


def _interval(line: Any) -> str:
    return f"{_decibels(line['low'])} to {_decibels(line['high'])}"


def _sortable(value: Any) -> float | str:
    return round(float(value), 4) if is_number(value) else ""


class TargetStatistics:
    """What a comparison says of each model, and the scale of its bars."""

    def __init__(self, comparison: Comparison) -> None:
        systems: pd.DataFrame = comparison.systems
        self.lines: dict[Any, dict[Any, Any]] = {line["system"]: line for line in systems.to_dict("records")}
        ranks = [line for ranked in comparison.ranked for line in ranked.ranks.to_dict("records")]
        self.places: dict[Any, dict[Any, Any]] = {line["system"]: line for line in ranks}
        self.letters = _letters(comparison.cliques)
        self._low, self._high = float(systems["low"].min()), float(systems["high"].max())

    def bar(self, line: dict[Any, Any]) -> Bar | None:
        """An interval on the target's scale."""
        scale = self._high - self._low
        if not scale > 0:
            return None
        low, point, high = (100 * (line[field] - self._low) / scale for field in ("low", "median", "high"))
        free = 100 - (high - low)
        return Bar(round(point, 1), round(100 * low / free, 1) if free > 0 else 0, round(high - low, 1))


def _letters(cliques: list[list[str]]) -> dict[str, str]:
    """{model: letters of the groups it is in}; a run of many is written a–f, as groups follow the mean ranks."""
    groups: dict[str, list[int]] = {}
    for number, clique in enumerate(cliques):
        for system in clique:
            groups.setdefault(system, []).append(number)
    written = {}
    for system, numbers in groups.items():
        letters = [_letter(number) for number in numbers]
        written[system] = " ".join(letters) if len(letters) < 4 else f"{letters[0]}–{letters[-1]}"
    return written


def _letter(number: int) -> str:
    return ("" if number < 26 else _letter(number // 26 - 1)) + "abcdefghijklmnopqrstuvwxyz"[number % 26]
