"""A board: the records of a folder as one table, with floors, ceilings and what is missing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from msbench import records
from msbench.leaderboard.files import FileWarning, SuiteWarning, check_inside, read_records, without_twins
from msbench.leaderboard.rankings import Models, Ranking, RankingKey, ranking_of, with_tracks_first
from msbench.leaderboard.reported import read_reported
from msbench.leaderboard.rows import Row, as_table, rows_of
from msbench.leaderboard.study_reported import ReportedFigure, check_figures, read_study_figures
from msbench.records.further import by_metric
from msbench.records.types import Record
from msbench.runs import failures
from msbench.runs.naming import NamedCell, NamedSuite, name_cells
from msbench.system.errors import is_bug, sentence
from msbench.system.wording import choices

if TYPE_CHECKING:
    from msbench.leaderboard.study import StudyPart, StudyResults
    from msbench.runs.studies import Study


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
        figures: What papers say of cells of its studies.

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
        self.figures: list[ReportedFigure] = read_study_figures(self.folder)
        if self.suite is not None:
            check_figures(self.figures, self._studies)
        if faults and not found and not self.reported:
            raise ValueError(next(iter(faults.values())))
        self._files, twins = without_twins(self._of_suite(found))
        self._faults = faults | twins
        for fault in self.faults:
            warnings.warn(f"{fault}; the board is built without it", FileWarning, stacklevel=2)
        self.records = list(self._files.values())
        self._study_parts: dict[str, list[StudyPart]] = {}  # whose statistics take seconds where cells are many

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
        causes = {path.stem: fault for path, fault in zip(self._faults, self.public_faults, strict=True)}
        return {
            cell.name: causes.get(cell.name) or failures.cause(self.suite.run_folder(cell))
            for cell in self._missing_cells
        }

    @cached_property
    def _missing_cells(self) -> list[NamedCell]:
        return [] if self.suite is None else self.suite.missing(path.stem for path in self._files)

    def table(self) -> pd.DataFrame:
        """One row per model, dataset and metric id, the best mean SDR first; ceilings stand above, floors below.

        Columns: dataset, fingerprint (of the data), metric, rank (systems alone), model, role, tier (measured,
        unverified, reported or contaminated), data (training data: standard, extra or unknown), inference (what is not
        as by default in how it was run: shifts, test-time augmentation, window, precision; without such rows there is
        no such column), seeds, tracks (scored on), parameters, rtf (seconds of separation per second of audio), one
        `<target> <SDR|SIR|SAR>` each in dB (NSDR where the metric is that), and `<target> gain`: SDR above the higher
        floor.
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

    def studies(self) -> tuple[str, ...]:
        """The names of the suite's studies; none where there is no suite, or none that can be read."""
        return tuple(self._studies)

    def study(self, name: str | None = None) -> pd.DataFrame:
        """A study, one line per cell, target and score; and one line per cell that has no record.

        Columns: study, dataset, fingerprint, metric, target, score, better ("higher" or "lower"), label, one per
        factor, seeds, tracks, median (over tracks, of the median over seeds) with its 95 % interval (median_low,
        median_high), seed_spread (of the medians of single seeds), common (tracks that the baseline has a score on
        too), difference
        (median over those of the cell minus the baseline) with its interval (low, high), p (Wilcoxon's signed-rank
        test), p_holm (corrected over the comparisons of one study, target and score), verdict ("baseline", "better",
        "worse", "not distinguished", "not compared" or "missing") and cause (why a missing cell has no record).

        Args:
            name: A study's; all in one frame when None.

        Raises:
            KeyError: If there is no such study.
            ValueError: If the board has none.
        """
        return pd.concat([results.table() for results in self._results(name)], ignore_index=True)

    def main_effects(self, name: str | None = None) -> pd.DataFrame:
        """What each level of a factor does to each score, averaged over the other factors: one line per level.

        Columns: study to better as of `study`, then factor, level, baseline_level, combinations (of the other factors,
        that all levels have), common, difference, low, high, p, p_holm (corrected over all levels and factors of one
        study, target and score) and verdict. A study of a single factor has no lines.

        Args:
            name: A study's; all in one frame when None.

        Raises:
            KeyError: If there is no such study.
            ValueError: If the board has none.
        """
        return pd.concat([results.main_effects() for results in self._results(name)], ignore_index=True)

    def study_runs(self) -> dict[str, Path]:
        """{cell name: its run's folder} of all cells of the suite's studies, whether the run is here or not."""
        if self.suite is None:
            return {}
        labels = {label for study in self._studies.values() for label in study.cells}
        return {cell.name: self.suite.run_folder(cell) for cell in self.suite.cells if cell.label in labels}

    @property
    def study_results(self) -> list[StudyResults]:
        """All that pages and exports say of each study."""
        return self._results(None) if self._studies else []

    @cached_property
    def _studies(self) -> Mapping[str, Study]:
        return {} if self.suite is None else {study.name: study for study in self.suite.studies}

    def _results(self, name: str | None) -> list[StudyResults]:
        if not self._studies:
            raise ValueError(
                f"{self.folder} has no study: give an entry of its suite `sweep:`, or two the same `study:`"
            )
        if name is not None and name not in self._studies:
            raise KeyError(f"no study {name!r}. {choices(name, self._studies)}")
        return [self._results_of(study) for study in self._studies.values() if name in (None, study.name)]

    def _results_of(self, study: Study) -> StudyResults:
        from msbench.leaderboard.study import StudyPart, StudyResults  # it loads the metrics, which take a while
        from msbench.leaderboard.study_reported import reported_lines

        if study.name not in self._study_parts:
            parts = [StudyPart(study, ranking) for ranking in self.rankings()]
            self._study_parts[study.name] = [part for part in parts if part.scores]
        cells = dict(zip(self.missing, self._missing_cells, strict=True))
        missing = {name: cell for name, cell in cells.items() if cell.label in study.cells}
        return StudyResults(
            study,
            self._study_parts[study.name],
            {name: self.missing[name] for name in missing},
            {name: (cell.label, cell.dataset) for name, cell in missing.items()},
            reported_lines(self.figures, study),
        )

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
