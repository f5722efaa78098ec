"""A board: the records of a folder as one table, with floors, ceilings and what is missing."""

from __future__ import annotations

import warnings
from functools import cached_property
from pathlib import Path

import pandas as pd

from msbench import records
from msbench.leaderboard.files import FileWarning, SuiteWarning, check_inside, read_records, without_twins
from msbench.leaderboard.rankings import Models, Ranking, RankingKey, ranking_of, with_tracks_first
from msbench.leaderboard.reported import read_reported
from msbench.leaderboard.rows import Row, as_table, rows_of
from msbench.records.further import by_metric
from msbench.records.types import Record
from msbench.runs import failures
from msbench.runs.naming import NamedSuite, name_cells
from msbench.system.errors import is_bug, sentence


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
        return {key: rows_of(models, *key) for key, models in sorted(self._models.items(), key=with_tracks_first)}

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
        return [ranking_of(key, self._models[key], rows) for key, rows in self._rows.items()]

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
