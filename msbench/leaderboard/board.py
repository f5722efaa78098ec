"""A board: the records of a folder as one table, with floors, ceilings and what is missing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from msbench import records
from msbench.leaderboard.files import FileWarning, SuiteWarning, check_inside, read_records, without_twins
from msbench.leaderboard.reported import read_reported
from msbench.leaderboard.rows import Row, as_table, by_seed, medians_of, other_metrics_of, rows_of, shown
from msbench.records.further import by_metric
from msbench.records.metric_id import MetricId
from msbench.records.types import Record
from msbench.runs import failures
from msbench.runs.naming import NamedSuite, name_cells
from msbench.system.errors import is_bug, sentence

if TYPE_CHECKING:
    from msbench.leaderboard.statistics import Comparison

Models = dict[str, list[Record]]  # {label: records, one per seed}


class RankingKey(NamedTuple):
    """What rows have in common that may be ranked together."""

    dataset: str  # with its split, as "musdb18/test"
    metric: str
    fingerprint: str  # of the data; empty where it is not known


@dataclass(frozen=True)
class Ranking:
    """Rows that may be ranked together, and the scores of every track."""

    dataset: str
    split: str
    fingerprint: str  # of the data; empty where it is not known
    metric: str
    rows: list[Row]
    records: Models
    seeds: dict[tuple[str, str], dict[str, pd.DataFrame]]  # (target, score): {model: tracks x seeds}

    @property
    def targets(self) -> list[str]:
        """Those that its metric id names."""
        return list(dict.fromkeys(MetricId.parse(self.metric).targets))

    @property
    def shown(self) -> tuple[str, ...]:
        """The scores of its metric; the first is what it ranks by."""
        return shown(self.metric)

    @property
    def other_metrics(self) -> list[str]:
        """Ids of the metrics that models were scored by in addition."""
        known = dict.fromkeys(score for _, score in self.seeds)
        return [score for score in known if score not in self.shown]

    def scores(self, target: str, score: str) -> pd.DataFrame:
        """Scores of tracks (rows) by model (columns): the median over seeds; NaN where there is none."""
        seeds = self.seeds[target, score]
        return pd.DataFrame({model: medians_of(values) for model, values in seeds.items()})

    def comparison(self, target: str) -> Comparison | None:
        """All models by the score that counts; None where fewer than two have scores of tracks.

        Systems of one tier and training data are ranked with each other.
        """
        from msbench.leaderboard.statistics import compare

        scores = self.seeds[target, self.shown[0]]
        known = {model: values for model, values in scores.items() if values.notna().any(axis=None)}
        if len(known) < 2:
            return None
        groups = {row.model: f"{row.tier}, {row.data} training data" for row in self.rows if row.role == "system"}
        of_means = next((score for score in self.other_metrics if MetricId.parse(score).is_of_means), None)
        return compare(known, groups, None if of_means is None else self.scores(target, of_means))


class Board:
    """The records under `<folder>/records/`, the rows of others in `reported/`, and the suite in its folder, if any.

    A board opens from its records alone. Its suite, where there is one that can be read, says which records are its own
    and which cells have none yet; nothing that the suite names has to be installed or there.

    A cell of the table is the median over tracks of the track's median over windows, and over seeds the median again.
    Rows of another dataset or metric id share no table; ranks are counted among rows of one tier and training data.

    Args:
        folder: A board's folder.

    Attributes:
        suite: The cells of the suite by name; None where there is no suite, or none that can be read.
        suite_fault: Why the suite cannot be read, in one sentence (`SuiteWarning` says it too); None where it can.
        records: The board's own, each with null for what it lacks.
        reported: The rows of others, in the form of records.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are records and none can be read, or rows of others cannot; the message names the file.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no board {folder}: give a folder with a suite.yaml or records/ in it")
        self.suite, self.suite_fault = _suite_in(self.folder)
        if self.suite_fault is not None:
            warnings.warn(self.suite_fault, SuiteWarning, stacklevel=2)
        self.title = self.suite.title if self.suite else self.folder.resolve().name
        found, faults = read_records(self.folder)
        self.reported = [records.completed(record) for record in read_reported(self.folder)]
        if faults and not found and not self.reported:
            raise ValueError(next(iter(faults.values())))
        self._files, twins = without_twins(self._of_suite(found))
        self._faults = faults | twins
        for fault in self.faults:
            warnings.warn(f"{fault}; the board is built without it", FileWarning, stacklevel=2)
        self.records = list(self._files.values())

    @property
    def faults(self) -> list[str]:
        """Why records that are not on the board are not, a sentence for each (`FileWarning` says them too)."""
        return list(self._faults.values())

    @property
    def public_faults(self) -> list[str]:
        """The faults as a page may say them: what is published tells nothing of the machine."""
        return [fault.replace(f"{self.folder}/", "") for fault in self.faults]

    @cached_property
    def missing(self) -> dict[str, str]:
        """{cell name: why it has no record}, for the cells of the suite."""
        if self.suite is None:
            return {}
        missing = self.suite.missing(path.stem for path in self._files)
        causes = {path.stem: fault for path, fault in zip(self._faults, self.public_faults, strict=True)}
        return {cell.name: causes.get(cell.name) or failures.cause(self.suite.run_folder(cell)) for cell in missing}

    def table(self) -> pd.DataFrame:
        """One row per model, dataset and metric id, the best mean SDR first; ceilings stand above, floors below.

        Columns: dataset, fingerprint (of the data), metric, rank (systems alone), model, role, tier (measured,
        unverified or reported), data (training data: standard, extra or unknown), seeds, tracks (scored on),
        parameters, rtf (seconds of separation per second of audio), one `<target> <SDR|SIR|SAR>` each in dB (NSDR where
        the metric is that), and `<target> gain`: SDR above the higher floor.
        """
        return as_table([row for rows in self._rows.values() for row in rows])

    @cached_property
    def _rows(self) -> dict[RankingKey, list[Row]]:
        """The rows of each ranking; those with scores of tracks come first."""
        return {key: rows_of(models, *key) for key, models in sorted(self._models.items(), key=_with_tracks_first)}

    @cached_property
    def _models(self) -> dict[RankingKey, Models]:
        """The models of each ranking, with their records."""
        found: dict[RankingKey, Models] = {}
        for record in (each for found in (self.records, self.reported) for whole in found for each in by_metric(whole)):
            data = record["dataset"]
            key = RankingKey(f"{data['name']}/{data['split']}", record["metric"]["id"], data["fingerprint"] or "")
            found.setdefault(key, {}).setdefault(record["model"]["label"], []).append(record)
        return found

    def rankings(self) -> list[Ranking]:
        """The table's parts that are ranked each by itself, with the scores of every track."""
        return [_ranking(key, self._models[key], rows) for key, rows in self._rows.items()]

    def _of_suite(self, files: dict[Path, Record]) -> dict[Path, Record]:
        """The suite's own records where there is a suite: what an older form of it left is not on the board."""
        if self.suite is None:
            return files
        own = set(self.suite.own(path.stem for path in files))
        return {path: record for path, record in files.items() if path.stem in own}


def _suite_in(folder: Path) -> tuple[NamedSuite | None, str | None]:
    """The suite of a board, or why it cannot be read: neither keeps anybody from the records."""
    path = folder / "suite.yaml"
    if not path.exists():
        return None, None
    try:
        check_inside(folder, path)
        return name_cells(path), None
    except (ValueError, OSError) as error:
        if is_bug(error):
            raise
        return None, f"the suite cannot be read ({sentence(error)}): the board is made of its records alone"


def _ranking(key: RankingKey, models: Models, rows: list[Row]) -> Ranking:
    scored = {
        label: [record for record in found if record["dataset"]["tracks"] != []] for label, found in models.items()
    }
    scored = {} if _is_pooled(key) else {label: found for label, found in scored.items() if found}
    scores = (*shown(key.metric), *other_metrics_of(record for found in scored.values() for record in found))
    seeds = {
        (target, score): {label: by_seed(found, target, score) for label, found in scored.items()}
        for target in MetricId.parse(key.metric).targets
        for score in scores
    }
    data = next(iter(models.values()))[0]["dataset"]
    return Ranking(data["name"], data["split"], key.fingerprint, key.metric, rows, models, seeds)


def _with_tracks_first(group: tuple[RankingKey, Models]) -> tuple[bool, RankingKey]:
    key, models = group
    with_tracks = any(record["dataset"]["tracks"] for found in models.values() for record in found)
    return _is_pooled(key) or not with_tracks, key


def _is_pooled(key: RankingKey) -> bool:
    """Whether there are no scores of tracks, but one of all their windows."""
    return MetricId.parse(key.metric).is_pooled
