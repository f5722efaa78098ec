"""A study on a board: what each choice does to each score, what it cost, and what papers say of the same choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from msbench.leaderboard.display import is_number
from msbench.leaderboard.rankings import Ranking
from msbench.leaderboard.rows import median_of
from msbench.leaderboard.study_reported import ReportedLine
from msbench.leaderboard.study_statistics import against_baseline, axes_of, main_effects
from msbench.metrics import catalogue
from msbench.records.metric_id import MetricId
from msbench.runs.studies import Study

MISSING = "missing"  # the verdict on a cell without a record
_PLACE = ("study", "dataset", "fingerprint", "metric", "target", "score", "better")
_MEASURED = (
    "seeds",
    "tracks",
    "median",
    "median_low",
    "median_high",
    "seed_spread",
    "common",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "verdict",
)
_RESERVED = ("kind", "factor", "level", "baseline_level", "combinations", "deviation", "source")  # of the CSV


@dataclass(frozen=True)
class StudyScore:
    """A study by one score of one target.

    Attributes:
        cells: Of `study_statistics.against_baseline`, by label.
        effects: Of `study_statistics.main_effects`; empty where fewer than two factors vary.
    """

    target: str
    score: str
    cells: pd.DataFrame
    effects: pd.DataFrame

    @property
    def name(self) -> str:
        """The score as tables head it: "SDR", or the first word of a metric id."""
        return MetricId.parse(self.score).family

    @property
    def unit(self) -> str:
        return catalogue.unit_of(self.name)

    @property
    def better(self) -> str:
        """Whether "higher" or "lower" is better."""
        return "lower" if catalogue.is_lower_better(self.name) else "higher"


@dataclass(frozen=True)
class Cost:
    """What a cell of a study took: medians over its seeds, but for hours, which are the sum.

    Attributes:
        steps: Of training, up to the checkpoint that was scored.
        hours: Wall-clock time of training and evaluation.
        rtf: Seconds of separation per second of audio.
    """

    label: str
    parameters: float | None
    steps: float | None
    hours: float | None
    gpu_hours: float | None
    rtf: float | None
    peak_bytes: float | None


class StudyPart:
    """A study within one ranking of its board.

    Args:
        study: The study.
        ranking: A ranking that holds some of its cells.
    """

    def __init__(self, study: Study, ranking: Ranking) -> None:
        self.study, self.ranking = study, ranking
        self.labels = [label for label in study.cells if label in ranking.records]

    @property
    def place(self) -> str:
        return f"{self.ranking.dataset}/{self.ranking.split}"

    @cached_property
    def scores(self) -> list[StudyScore]:
        """One entry per target and score that a cell has: the score that ranks first, of all targets."""
        ranking = self.ranking
        names = [*ranking.shown, *ranking.other_metrics]
        keys = ((target, score) for score in names for target in ranking.targets)
        return [self._score(*key) for key in keys if self._has(key)]

    @property
    def score_names(self) -> list[str]:
        """Their ids, the one that ranks first."""
        return list(dict.fromkeys(each.score for each in self.scores))

    @property
    def has_baseline(self) -> bool:
        return self.study.baseline in self.labels

    def costs(self) -> list[Cost]:
        """One per cell that is here."""
        return [self._cost(label) for label in self.labels]

    def _has(self, key: tuple[str, str]) -> bool:
        return any(values.notna().any(axis=None) for values in self._by_seed(*key).values())

    def _by_seed(self, target: str, score: str) -> dict[str, pd.DataFrame]:
        seeds = self.ranking.seeds[target, score]
        return {label: seeds[label] for label in self.labels if label in seeds}

    def _score(self, target: str, score: str) -> StudyScore:
        by_seed, study = self._by_seed(target, score), self.study
        lower = catalogue.is_lower_better(MetricId.parse(score).family)
        cells = against_baseline(by_seed, study.baseline, lower)
        return StudyScore(target, score, cells, main_effects(by_seed, study.cells, study.baseline, lower))

    def _cost(self, label: str) -> Cost:
        found = self.ranking.records[label]
        runs = [record["run"] for record in found]
        hours, gpu_hours = ([run.get(field) for run in runs] for field in ("hours", "gpu_hours"))
        return Cost(
            label,
            parameters=median_of(record["model"].get("parameters") for record in found),
            steps=median_of((record["checkpoint"] or {}).get("step") for record in found),
            hours=_sum(hours),
            gpu_hours=_sum(gpu_hours),
            rtf=median_of(record["speed"].get("real_time_factor") for record in found),
            peak_bytes=median_of(record["speed"].get("peak_bytes") for record in found),
        )


@dataclass(frozen=True)
class StudyResults:
    """All that a board says of a study.

    Attributes:
        study: The study.
        parts: One per ranking that holds cells of it.
        missing: {cell name: why it has no record}.
        missing_labels: {cell name: (label, dataset)} of the same.
        reported: Figures of papers.
    """

    study: Study
    parts: Sequence[StudyPart]
    missing: dict[str, str]
    missing_labels: dict[str, tuple[str, str]]
    reported: Sequence[ReportedLine]

    @property
    def name(self) -> str:
        return self.study.name

    @property
    def axes(self) -> list[tuple[str, ...]]:
        """The factors that vary; those that only change together are one."""
        return axes_of(self.study.cells)

    @property
    def factor_columns(self) -> dict[str, str]:
        """{factor: its column in `table`}, none of which is one of ours."""
        taken = {*_PLACE, "label", *_MEASURED, "cause", *_RESERVED}
        found = {}
        for factor in self.study.factors:
            heading = factor
            while heading in taken:
                heading += "'"
            taken.add(heading)
            found[factor] = heading
        return found

    def table(self) -> pd.DataFrame:
        """`Board.study`."""
        columns = self.factor_columns
        lines = [*self._measured(columns), *self._missing(columns)]
        table = pd.DataFrame(lines, columns=[*_PLACE, "label", *_MEASURED, "cause"])
        for place, column in enumerate(columns.values(), len(_PLACE) + 1):
            values = pd.Series([line.get(column, float("nan")) for line in lines], dtype=object)  # 3 is not 3.0 here
            table.insert(place, column, values)
        return table

    def main_effects(self) -> pd.DataFrame:
        """`Board.main_effects`."""
        found = []
        for part, each in self._scores():
            lines = each.effects.copy()
            for i, (name, value) in enumerate(self._place(part, each).items()):
                lines.insert(i, name, value)
            found.append(lines)
        filled = [lines for lines in found if len(lines)]
        return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*_PLACE])

    def _scores(self) -> Iterator[tuple[StudyPart, StudyScore]]:
        for part in self.parts:
            for each in part.scores:
                yield part, each

    def _place(self, part: StudyPart, each: StudyScore) -> dict[str, Any]:
        ranking = part.ranking
        place = (self.name, part.place, ranking.fingerprint, ranking.metric, each.target, each.score, each.better)
        return dict(zip(_PLACE, place, strict=True))

    def _measured(self, columns: dict[str, str]) -> Iterator[dict[str, Any]]:
        for part, each in self._scores():
            place = self._place(part, each)
            for label, line in zip(each.cells.index, each.cells.to_dict("records"), strict=True):
                factors = {columns[factor]: value for factor, value in self.study.cells[label].items()}
                yield {**place, "label": label, **factors, **line, "cause": ""}

    def _missing(self, columns: dict[str, str]) -> Iterator[dict[str, Any]]:
        for name, why in self.missing.items():
            label, dataset = self.missing_labels[name]
            factors = {columns[factor]: value for factor, value in self.study.cells[label].items()}
            nothing = dict.fromkeys(("fingerprint", "metric", "target", "score", "better"), "")
            counts = {"seeds": 0, "tracks": 0, "common": 0}
            place = {**nothing, "study": self.name, "dataset": dataset}
            yield {**place, "label": label, **factors, **counts, "verdict": MISSING, "cause": why}


def _sum(values: Sequence[Any]) -> float | None:
    known = [float(value) for value in values if is_number(value)]
    return sum(known) if known else None
