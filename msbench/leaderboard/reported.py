"""Rows of others: scores of a campaign's tracks, and a paper's figures, each with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from msbench import records
from msbench.leaderboard.display import is_number
from msbench.leaderboard.files import check_inside, read_text
from msbench.leaderboard.rows import TRAINING, shown
from msbench.records import strict_json
from msbench.records.metric_id import BSSEVAL, MetricId
from msbench.records.types import Record, TargetScores, TrackScores
from msbench.system.errors import is_deliberate, sentence
from msbench.system.yaml_files import read_yaml

FIGURE_FIELDS = ("system", "citation", "read_in", "data", "dataset", "split", "metric", "role")
FIGURE_SCORES = ("SDR", "NSDR", "SIR", "SAR", "ISR")
STUDY_FIELDS = ("study", "factors", "MAD", "other", "board")  # of figures beside a study: see study_reported
ROLES = ("system", "floor", "ceiling")


@dataclass(frozen=True)
class Origin:
    """Where reported rows come from, and what they are scores of."""

    source: str
    dataset: str
    split: str
    metric: str


def read_reported(folder: Path) -> list[Record]:
    """The rows under <folder>/reported/ and the figures in <folder>/reported.yaml, as records of tier `reported`.

    The figures are of no track: they have a row, and no statistics. Where an entry names none, their dataset is the
    board's folder's name, their split `test`, and their metric BSSEval v4 with medians, of targets that were scored
    together as nobody says. One that does not say where it was read is of the tier `unverified`.

    Raises:
        ValueError: If a file cannot be read, or two rows are of one system, dataset and metric; the message names the
            file.
    """
    paths = sorted(path for path in (folder / "reported").glob("*.json") if not path.name.startswith("."))
    rows = [(path, row) for path in paths for row in _campaign(folder, path)]
    figures = folder / "reported.yaml"
    if figures.exists():
        check_inside(folder, figures)
        rows += [(figures, row) for row in _figures(figures)]
    first: dict[tuple[str, ...], Path] = {}
    for path, row in rows:
        label, data = row["model"]["label"], row["dataset"]
        key = (label, data["name"], data["split"], row["metric"]["id"])
        if key in first:
            raise ValueError(f"{path}: {label} has another row of this dataset and metric in {first[key]}: keep one")
        first[key] = path
    return [row for _, row in rows]


def _campaign(folder: Path, path: Path) -> list[Record]:
    """The rows of a file that `msbench board import` wrote."""
    try:
        content = strict_json.parse(read_text(folder, path))
    except ValueError as error:
        if not is_deliberate(error):
            raise
        raise ValueError(f"{path} is not JSON that can be read ({sentence(error)}): import it again") from error
    fault = _fault(content)
    if fault is not None:
        raise ValueError(f"{path} is not a table of reported scores: {fault}: import it again")
    return list(_expanded(content))


def _fault(content: Any) -> str | None:
    """What is wrong with a campaign's table, if anything."""
    if not isinstance(content, dict):
        return "it is no object"
    for field in ("source", "dataset", "split", "metric"):
        if not isinstance(content.get(field), str):
            return f"field {field} is no text"
    for field in ("columns", "tracks"):
        if not isinstance(content.get(field), list) or not all(isinstance(each, str) for each in content[field]):
            return f"field {field} is no list of names"
    if not MetricId.parse(content["metric"]).targets:
        return "field metric names no targets"
    if not isinstance(content.get("systems"), dict):
        return "field systems is no object"
    faults = (_fault_of_system(system, content) for system in content["systems"].values())
    return next((f"{name}: {fault}" for name, fault in zip(content["systems"], faults, strict=True) if fault), None)


def _fault_of_system(system: Any, content: dict[str, Any]) -> str | None:
    if not isinstance(system, dict) or not isinstance(system.get("scores"), dict):
        return "it has no scores"
    for field, choices in (("role", ROLES), ("data", TRAINING)):
        if system.get(field) not in choices:
            return f"{field} is one of {', '.join(choices)}, not {system.get(field)!r}"
    columns, tracks = content["columns"], content["tracks"]
    for target, lines in system["scores"].items():
        if not isinstance(lines, list) or len(lines) != len(tracks):
            return f"{target} has not one entry per track"
        for line in lines:
            if line is not None and not (isinstance(line, list) and len(line) == len(columns)):
                return f"{target} has an entry that is not one value per column"
            if line is not None and not all(value is None or is_number(value) for value in line):
                return f"{target} has a value that is no number"
    return None if isinstance(system.get("note", ""), str) else "note is no text"


def _expanded(content: dict[str, Any]) -> Iterator[Record]:
    columns, tracks = content["columns"], content["tracks"]
    origin = Origin(content["source"], content["dataset"], content["split"], content["metric"])
    absent = {**dict.fromkeys(columns), "reason": "not among the scores of the campaign"}
    for name, system in content["systems"].items():
        of_targets = {
            target: system["scores"].get(target) or [None] * len(tracks) for target in _targets(content["metric"])
        }
        scores = {
            track: {t: _of_columns(columns, lines[i]) or absent for t, lines in of_targets.items()}
            for i, track in enumerate(tracks)
        }
        source = "; ".join(filter(None, [origin.source, system.get("note")]))  # boards show it with the row
        row = _row(name, system["role"], system["data"], replace(origin, source=source), tracks, scores)
        row["metric"]["beside"] = [column for column in columns if column not in records.METRICS]
        yield row


def _of_columns(columns: list[str], values: list[float | None] | None) -> TargetScores | None:
    if values is None:
        return None
    reason = {"reason": "no window with a score"} if None in values else {}
    return dict(zip(columns, values, strict=True)) | reason


def _figures(path: Path) -> list[Record]:
    return [_figure(entry, number, path) for number, entry in enumerate(entries_of(path), 1) if _has_row(entry)]


def entries_of(path: Path) -> list[Any]:
    """The entries of a reported.yaml as they stand.

    Raises:
        ValueError: If it is no list.
    """
    entries = read_yaml(path) or []
    if not isinstance(entries, list):
        raise ValueError(f"{path}: expected a list of entries, each of one system")
    return entries


def _has_row(entry: Any) -> bool:
    """Whether an entry is a row of the board: one of a study may hold other scores alone, or be another board's."""
    if not isinstance(entry, dict) or "study" not in entry:
        return True
    return "board" not in entry and bool(entry.get(_ranking_score(entry)))


def _figure(entry: Any, number: int, path: Path) -> Record:
    fault = fault_of_figure(entry)
    if fault is not None:
        raise ValueError(
            f"{path}, entry {number}: expected system, citation, data and SDR of each target (NSDR where the metric is "
            f"that), and what else is known ({fault})"
        )
    targets = sorted(entry[_ranking_score(entry)])
    metric = str(_family(entry).of(targets))
    scores: TrackScores = {}
    for target in targets:
        named = dict.fromkeys((*shown(metric), "ISR"))
        values = {score: (entry.get(score) or {}).get(target) for score in named}
        known = {score: None if value is None else float(value) for score, value in values.items()}
        scores[target] = known | ({"reason": "not published"} if None in known.values() else {})
    dataset, split = str(entry.get("dataset") or path.parent.resolve().name), str(entry.get("split") or "test")
    origin = Origin(str(entry["citation"]), dataset, split, metric)
    row = _row(str(entry["system"]), str(entry.get("role") or "system"), entry["data"], origin, [], {"median": scores})
    if entry.get("read_in"):
        row["read_in"] = str(entry["read_in"])
    else:
        row["tier"] = "unverified"  # a figure that nobody read where it stands is not even reported
    return row


def fault_of_figure(entry: Any, needs_score: bool = True) -> str | None:
    """What is wrong with an entry of reported.yaml, if anything; without `needs_score`, it may hold other scores."""
    if not isinstance(entry, dict):
        return f"it is {entry!r}"
    misnamed = _fault_of_names(entry)
    if misnamed:
        return misnamed
    needed = ("system", "citation", "data", *([_ranking_score(entry)] if needs_score else []))
    lacking = [field for field in needed if not entry.get(field)]
    if lacking:
        return f"it has no {lacking[0]}"
    if entry["data"] not in TRAINING:
        return f"data is one of {', '.join(TRAINING)}, not {entry['data']!r}"
    if entry.get("role") not in (None, *ROLES):
        return f"role is one of {', '.join(ROLES)}, not {entry['role']!r}"
    return next(filter(None, (fault_of_values(score, entry.get(score) or {}) for score in FIGURE_SCORES)), None)


def _fault_of_names(entry: dict[str, Any]) -> str | None:
    fields = (*FIGURE_FIELDS, *FIGURE_SCORES, *STUDY_FIELDS)
    unknown = [key for key in entry if key not in fields]
    if unknown:
        return f"unknown field {unknown[0]!r}: the fields are {', '.join(fields)}"
    misplaced = [key for key in STUDY_FIELDS if key in entry and "study" not in entry]
    return f"{misplaced[0]} is of a figure beside a study: add study: NAME" if misplaced else None


def fault_of_values(score: str, by_target: Any) -> str | None:
    """What is wrong with the values of a score, {target: number}, if anything."""
    if not isinstance(by_target, dict):
        return f"{score} is {by_target!r}, not a value per target"
    for target, value in by_target.items():
        if not isinstance(target, str) or "," in target or ";" in target:
            return f"{target!r} cannot be the name of a target"
        if value is not None and not is_number(value):
            return f"{score} of {target} is {value!r}, not a number"
    return None


def _family(entry: dict[str, Any]) -> MetricId:
    stated = entry.get("metric")
    return MetricId.parse(str(stated)) if stated else BSSEVAL.with_setting("together=not-stated")


def metric_of(entry: dict[str, Any]) -> str:
    """The metric id of an entry, as far as it says: without targets."""
    return str(_family(entry))


def _ranking_score(entry: dict[str, Any]) -> str:
    return shown(str(_family(entry)))[0]


def _targets(metric: str) -> Iterable[str]:
    return MetricId.parse(metric).targets


def _row(name: str, role: str, data: str, origin: Origin, tracks: list[str], scores: dict[str, TrackScores]) -> Record:
    row = {
        "schema_version": records.SCHEMA_VERSION,
        "tier": "reported",
        "source": origin.source,
        "model": {"name": name, "label": name, "role": role, "targets": list(_targets(origin.metric))},
        "training": {"data": data},
        "dataset": {"name": origin.dataset, "split": origin.split, "fingerprint": None, "tracks": tracks},
        "metric": {"id": origin.metric},
        "seed": None,
        "scores": scores,
    }
    return cast("Record", row)
