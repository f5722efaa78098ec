"""A board: the records of a folder as one table, with floors, ceilings and what is missing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from msbench import records
from msbench.leaderboard.reported import read_reported
from msbench.leaderboard.rows import beside_of, by_seed, medians_of, rows_of, shown
from msbench.records import strict_json
from msbench.records.metric_id import MetricId
from msbench.records.types import Record
from msbench.runs import failures
from msbench.runs.naming import NamedSuite, name_cells
from msbench.system.errors import is_bad_input, sentence

if TYPE_CHECKING:
    from msbench.leaderboard.statistics import Comparison


class Place(NamedTuple):
    """What rows have in common that may share a table."""

    dataset: str  # with its split, as "musdb18/test"
    metric: str
    fingerprint: str  # of the data; empty where it is not known


@dataclass(frozen=True)
class Ranking:
    """Rows that may be ranked together."""

    dataset: str
    split: str
    fingerprint: str  # of the data; empty where it is not known
    metric: str
    targets: list[str]
    rows: pd.DataFrame
    records: dict[str, list[Record]]  # by model
    seeds: dict[tuple[str, str], dict[str, pd.DataFrame]]  # (target, score): {model: tracks x seeds}

    @property
    def shown(self) -> tuple[str, ...]:
        """The scores of its metric; the first is what it ranks by."""
        return shown(self.metric)

    @property
    def beside(self) -> list[str]:
        """Metric ids that models were scored by beside it."""
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
        systems = self.rows[self.rows["role"] == "system"].to_dict("records")
        groups = {row["model"]: f"{row['tier']}, {row['data']} training data" for row in systems}
        of_means = next((score for score in self.beside if MetricId.parse(score).is_of_means), None)
        return compare(known, groups, None if of_means is None else self.scores(target, of_means))


class Board:
    """The records under `<folder>/records/`, the rows of others in `reported/`, and the suite beside them if any.

    A cell of the table is the median over tracks of the track's median over windows, and over seeds the median again.
    Rows of another dataset or metric id share no table; ranks are counted among rows of one tier and training data.

    Args:
        folder: A board's folder.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If a record cannot be read, or two are of one model, dataset and seed; the message names file and
            line.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no board {folder}: give a folder with a suite.yaml or records/ in it")
        self.suite = _suite_in(self.folder)
        self.title = self.suite.title if self.suite else self.folder.name
        paths = sorted((self.folder / "records").glob("*.json"))
        self._files = self._of_suite({path: records.completed(records.read(path)) for path in paths})
        self._refuse_duplicates()
        self.records = list(self._files.values())
        self.reported = [records.completed(record) for record in read_reported(self.folder)]

    @cached_property
    def missing(self) -> dict[str, str]:
        """{cell name: why it has no record}, for the cells of the suite."""
        if self.suite is None:
            return {}
        missing = self.suite.missing(path.stem for path in self._files)
        return {cell.name: failures.cause(self.suite.run_folder(cell)) for cell in missing}

    def table(self) -> pd.DataFrame:
        """One row a model, dataset and metric id, the best mean SDR first; ceilings stand above, floors below.

        Columns: dataset, fingerprint (of the data), metric, rank (systems alone), model, role, tier (measured,
        unverified or reported), data (training data: standard, extra or unknown), seeds, tracks (scored on),
        parameters, rtf (seconds of separation a second of audio), one `<target> <SDR|SIR|SAR>` each in dB (NSDR where
        the metric is that), and `<target> gain`: SDR above the higher floor.
        """
        return self._table.copy()

    @cached_property
    def _table(self) -> pd.DataFrame:
        rows: list[dict[str, Any]] = []
        for place, models in sorted(self._places.items(), key=_with_tracks_first):
            rows += rows_of(models, *place)
        table = pd.DataFrame(rows)
        return table.astype({"rank": "Int64"}) if rows else table  # of whole numbers, though some rows have none

    @cached_property
    def _places(self) -> dict[Place, dict[str, list[Record]]]:
        """{what rows that may share a table have in common: {model: its records}}."""
        found: dict[Place, dict[str, list[Record]]] = {}
        for record in [*self.records, *self.reported]:
            data = record["dataset"]
            place = Place(f"{data['name']}/{data['split']}", record["metric"]["id"], data["fingerprint"] or "")
            found.setdefault(place, {}).setdefault(record["model"]["label"], []).append(record)
        return found

    def rankings(self) -> list[Ranking]:
        """The table's parts that are ranked each by itself, with the scores of every track."""
        table = self.table()
        found: list[Ranking] = []
        for key, part in table.groupby(list(Place._fields), sort=False) if len(table) else []:
            place = Place(*key)
            targets = list(MetricId.parse(place.metric).targets)
            by_model = self._places[place]
            scored = {
                model: own
                for model, all_own in by_model.items()
                if (own := [record for record in all_own if record["dataset"]["tracks"] != []])
            }
            beside = beside_of(record for own in scored.values() for record in own)
            seeds = {
                (target, score): {model: by_seed(own, target, score) for model, own in scored.items()}
                for target in targets
                for score in (*shown(place.metric), *beside)
            }
            data = next(iter(by_model.values()))[0]["dataset"]
            rows = part.reset_index(drop=True)
            found.append(
                Ranking(data["name"], data["split"], place.fingerprint, place.metric, targets, rows, by_model, seeds)
            )
        return found

    def _of_suite(self, files: dict[Path, Record]) -> dict[Path, Record]:
        """The suite's own records where there is a suite: what an older form of it left is not on the board."""
        if self.suite is None:
            return files
        own = set(self.suite.own(path.stem for path in files))
        return {path: record for path, record in files.items() if path.stem in own}

    def _refuse_duplicates(self) -> None:
        first: dict[tuple[Any, ...], Path] = {}
        for path, record in self._files.items():
            data = record["dataset"]
            place = (record["model"]["label"], data["name"], data["split"], data["fingerprint"], record["metric"]["id"])
            other = first.setdefault((*place, record.get("seed")), path)
            if other is not path:
                line = strict_json.line_of(path.read_text("utf-8"), ["model", "label"])
                raise ValueError(f"{path}, line {line}: of the same model, dataset and seed as {other.name}: keep one")


def _suite_in(folder: Path) -> NamedSuite | None:
    """The suite of a board; one that cannot be read keeps nobody from the records."""
    path = folder / "suite.yaml"
    if not path.exists():
        return None
    try:
        return name_cells(path)
    except ValueError as error:
        if not is_bad_input(error):
            raise
        warnings.warn(f"{sentence(error)}; the board is made of its records alone", stacklevel=3)
        return None


def _with_tracks_first(group: tuple[Place, dict[str, list[Record]]]) -> tuple[Any, ...]:
    place, models = group
    return not any(record["dataset"]["tracks"] for own in models.values() for record in own), place
