"""A board: the records of a folder as one table, with floors, ceilings and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from msbench import failures, records
from msbench.leaderboard.reported import read_reported
from msbench.suite import read_suite

SHOWN = ("SDR", "SIR", "SAR")
TRAINING = ("standard", "unknown", "extra")  # of a model's seeds, the last counts


@dataclass(frozen=True)
class Ranking:
    """Rows that may be ranked together."""

    dataset: str
    split: str
    fingerprint: str  # of the data; empty where it is not known
    metric: str
    targets: list[str]
    rows: pd.DataFrame
    scores: dict[tuple[str, str], pd.DataFrame]


class Board:
    """The records under `<folder>/records/`, the rows of others in `reported/`, and the suite beside them if any.

    A cell of the table is the median over tracks of the track's median over windows, and over seeds the median again.
    Rows of another dataset or metric id share no table; ranks are counted among rows of one tier and training data.

    Args:
        folder: A board's folder.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If a record cannot be read, or two are of one model, dataset and seed; the message names the files.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no board {folder}: give a folder with a suite.yaml or records/ in it")
        paths = sorted((self.folder / "records").glob("*.json"))
        self._files = {path: records.completed(records.read(path)) for path in paths}
        self.records = list(self._files.values())
        self.reported = [records.completed(record) for record in read_reported(self.folder)]
        suite_file = self.folder / "suite.yaml"
        self.suite = read_suite(suite_file) if suite_file.exists() else None
        self.title = self.suite.title if self.suite else self.folder.name
        self._refuse_duplicates()

    def missing(self) -> dict[str, str]:
        """{cell name: why it has no record}, for the cells of the suite."""
        if self.suite is None:
            return {}
        found = {}
        for cell in self.suite.cells:
            if not self.suite.record_path(cell).exists():
                found[cell.name] = failures.cause(self.suite.run_folder(cell))
        return found

    def table(self) -> pd.DataFrame:
        """One row a model, dataset and metric id, the best mean SDR first; ceilings stand above, floors below.

        Columns: dataset, fingerprint (of the data), metric, rank (systems alone), model, role, tier (measured,
        unverified or reported), data (training data: standard, extra or unknown), seeds, parameters, rtf (seconds of
        separation a second of audio), one `<target> <SDR|SIR|SAR>` each in dB, and `<target> gain`: SDR above the
        higher floor.
        """
        groups: dict[tuple[str, str, str], dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        for record in self._of_suite():
            groups[_place(record)][record["model"]["label"]].append(record)
        rows: list[dict[str, Any]] = []
        for place, models in sorted(groups.items(), key=_with_tracks_first):
            rows += _ranked([_row(label, found, *place) for label, found in models.items()])
        return pd.DataFrame(rows)

    def rankings(self) -> list[Ranking]:
        """The table's parts that are ranked each by itself, with the scores of every track."""
        table = self.table()
        found: list[Ranking] = []
        for place, part in table.groupby(["dataset", "metric", "fingerprint"], sort=False) if len(table) else []:
            dataset, metric, fingerprint = place
            targets = metric.rsplit("targets=", 1)[1].split(",")
            by_model: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for record in self._of_suite():
                if _place(record) == place and record["dataset"]["tracks"] != []:
                    by_model[record["model"]["label"]].append(record)
            scores = {
                (target, name): pd.DataFrame(
                    {label: _by_track(found_of, target, name) for label, found_of in by_model.items()}
                )
                for target in targets
                for name in SHOWN
            }
            rows = part.reset_index(drop=True)
            name, split = dataset.split("/", 1)
            found.append(Ranking(name, split, fingerprint, metric, targets, rows, scores))
        return found

    def _of_suite(self) -> list[dict[str, Any]]:
        return [*self._used().values(), *self.reported]

    def _used(self) -> dict[Path, dict[str, Any]]:
        """The suite's own records where there is a suite: what an older form of it left is not on the board."""
        if self.suite is None:
            return self._files
        folder = (self.folder / "records").resolve()
        wanted = {self.suite.record_path(cell).name for cell in self.suite.cells}
        return {folder / path.name: record for path, record in self._files.items() if path.name in wanted}

    def _refuse_duplicates(self) -> None:
        first: dict[tuple[Any, ...], Path] = {}
        for path, record in self._used().items():
            data = record["dataset"]
            place = (record["model"]["label"], data["name"], data["split"], data["fingerprint"], record["metric"]["id"])
            other = first.setdefault((*place, record.get("seed")), path)
            if other is not path:
                raise ValueError(
                    f"{path.parent}: {other.name} and {path.name} are of one model, dataset and seed: keep one"
                )

    def write(self) -> list[Path]:
        """Write board.md, .csv, .json, .tex and .png and the pages in site/: the same text for the same records."""
        from msbench.leaderboard.chart import chart
        from msbench.leaderboard.render import exports
        from msbench.leaderboard.site.build import build_site

        table = self.table()
        written = []
        for name, text in exports(table, self.title, self.missing()).items():
            written.append(self.folder / name)
            records.write_text(written[-1], text)
        if len(table):
            written.append(self.folder / "board.png")
            chart(table, self.title, written[-1])
        return [*written, build_site(self)]


def _place(record: dict[str, Any]) -> tuple[str, str, str]:
    """What rows have in common that may share a table: data and split, metric id, hash of the data."""
    data = record["dataset"]
    return f"{data['name']}/{data['split']}", record["metric"]["id"], data["fingerprint"] or ""


def _with_tracks_first(group: tuple[tuple[str, str, str], dict[str, list[dict[str, Any]]]]) -> tuple[Any, ...]:
    place, models = group
    return not any(record["dataset"]["tracks"] for found in models.values() for record in found), place


def targets_of(table: pd.DataFrame) -> list[str]:
    """The targets that a table has columns of, in order."""
    return [column.removesuffix(" SDR") for column in table.columns if column.endswith(" SDR")]


def _row(label: str, found: list[dict[str, Any]], dataset: str, metric: str, fingerprint: str) -> dict[str, Any]:
    first = found[0]
    row: dict[str, Any] = {
        "dataset": dataset,
        "fingerprint": fingerprint,
        "metric": metric,
        "rank": None,
        "model": label,
        "role": first["model"]["role"],
        "tier": max((records.tier_of(record) for record in found), key=records.TIERS.index),
        "data": max((records.training_data_of(record) for record in found), key=TRAINING.index),
        "seeds": len(found),
        "parameters": first["model"]["parameters"] or 0,  # unknown where files were scored
        "rtf": _median(record["speed"]["real_time_factor"] for record in found),
    }
    targets = metric.rsplit("targets=", 1)[1].split(",")
    for target in targets:
        for name in SHOWN:
            row[f"{target} {name}"] = _median(_over_tracks(record, target, name) for record in found)
    return row


def _by_track(found: list[dict[str, Any]], target: str, metric: str) -> pd.Series[float]:
    """{track: median over seeds}; NaN where no seed has a value."""
    values: dict[str, list[float | None]] = defaultdict(list)
    for record in found:
        for track, targets in record["scores"].items():
            values[track].append(targets[target][metric])
    return pd.Series({track: _median(each) for track, each in values.items()}, dtype=float)


def _over_tracks(record: dict[str, Any], target: str, metric: str) -> float | None:
    return _median(track[target][metric] for track in record["scores"].values())


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _ranked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    targets = [key.removesuffix(" SDR") for key in rows[0] if key.endswith(" SDR")]
    for target in targets:
        floors = [row[f"{target} SDR"] for row in rows if row["role"] == "floor" and row[f"{target} SDR"] is not None]
        for row in rows:
            own = row[f"{target} SDR"]
            row[f"{target} gain"] = own - max(floors) if floors and own is not None else None

    def mean_sdr(row: dict[str, Any]) -> float:
        values = [row[f"{target} SDR"] for target in targets]
        known = [value for value in values if value is not None]
        # Fewer targets than others: below them, among their like.
        return sum(known) / len(known) - 1000 * (len(values) - len(known)) if known else float("-inf")

    order = {"ceiling": 0, "system": 1, "floor": 2}
    rows = sorted(rows, key=lambda row: (order[row["role"]], -mean_sdr(row), row["model"]))
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        if row["role"] == "system":
            place = row["tier"], row["data"]
            counted[place] += 1
            row["rank"] = counted[place]
    return rows
