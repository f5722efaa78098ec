"""Rows of others: scores of a campaign's tracks, and a paper's figures, each with where it comes from."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from msbench import records
from msbench.leaderboard.rows import TRAINING, median_of, shown
from msbench.metrics.catalogue import mean_of
from msbench.records.metric_id import BSSEVAL, MEAN_SDR, MetricId
from msbench.system.files import write_text
from msbench.system.yaml_files import read_yaml

Scores = dict[str, dict[str, dict[str, list[float | None]]]]  # by system, target and track, in the order of columns
# Which targets were scored together was each participant's choice, and moves vocals by up to some 0.2 dB.
SISEC18_TARGETS = ("vocals", "drums", "bass", "other", "accompaniment")
SISEC18_METRIC = str(replace(BSSEVAL.with_setting("together=as-submitted"), targets=SISEC18_TARGETS))
SISEC18_MEANS = str(replace(MEAN_SDR.with_setting("together=as-submitted"), targets=SISEC18_TARGETS))
FIGURE_FIELDS = (
    "system", "citation", "read_in", "data", "dataset", "split", "metric", "SDR", "NSDR", "SIR", "SAR", "ISR",
)  # fmt: skip
SISEC18_CEILINGS = ("IBM1", "IBM2", "IRM1", "IRM2", "MWF")
SISEC18_FLOORS = ("MIX",)
SISEC18_EXTRA_DATA = ("STL1", "TAK2", "TAK3", "TAU1", "UHL3")
SISEC18_SOURCE = (
    "Stöter, Liutkus, Ito: The 2018 Signal Separation Evaluation Campaign, LVA/ICA 2018; the submissions' museval JSON "
    "in the repository sigsep/sigsep-mus-2018"
)


def import_sisec18(table: Path, folder: Path) -> Path:
    """Keep the scores of SiSEC 2018 as reported rows of a board: <folder>/reported/sisec18.json.

    Args:
        table: CSV of method, track, target, frames, SDR, ISR, SIR, SAR, the medians over windows; an empty cell has no
            score. Or the campaign's own folder submissions/, of <method>/test/<track>.json as museval writes them; the
            mean over windows is kept beside the medians then.
        folder: The board's.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If a row or a file is not as above; the message names it.
    """
    if table.is_dir():
        columns: tuple[str, ...] = (*records.METRICS, SISEC18_MEANS)
        scores = _of_submissions(table)
    elif table.is_file():
        columns, scores = records.METRICS, _of_csv(table)
    else:
        raise FileNotFoundError(f"no table {table}: give the CSV of SiSEC 2018's track medians")
    targets = SISEC18_TARGETS
    names = sorted({track for of_system in scores.values() for found in of_system.values() for track in found})
    systems = {
        method: {
            "role": "ceiling" if method in SISEC18_CEILINGS else "floor" if method in SISEC18_FLOORS else "system",
            "data": "extra" if method in SISEC18_EXTRA_DATA else "standard",
            "scores": {t: [found[t].get(name) for name in names] for t in targets if t in found},
        }
        for method, found in sorted(scores.items())
    }
    content = {
        "source": SISEC18_SOURCE, "dataset": "musdb18", "split": "test", "metric": SISEC18_METRIC,
        "columns": columns, "tracks": names, "systems": systems,
    }  # fmt: skip
    path = folder / "reported" / "sisec18.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, _compact(content))
    return path


def _of_submissions(folder: Path) -> Scores:
    """Medians over windows, and SDR's mean, of museval's files."""
    scores: Scores = {}
    files = sorted(folder.glob("*/test/*.json"))
    if not files:
        raise FileNotFoundError(f"{folder} has no <method>/test/<track>.json: give the campaign's folder submissions/")
    for path in files:
        of_system = scores.setdefault(path.parts[-3], {})
        try:
            for target in json.loads(path.read_text("utf-8"))["targets"]:
                windows = {
                    metric: np.array([frame["metrics"][metric] for frame in target["frames"]], float)
                    for metric in records.METRICS
                }
                medians = [median_of(values[np.isfinite(values)].tolist()) for values in windows.values()]
                mean = None if medians[0] is None else mean_of(windows["SDR"])
                rounded = [None if value is None else round(value, 5) for value in (*medians, mean)]
                of_system.setdefault(target["name"], {})[path.stem] = rounded
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a file of museval's scores: restore it") from error
    return scores


def _of_csv(table: Path) -> Scores:
    scores: Scores = {}
    targets = SISEC18_TARGETS
    with table.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                if None in row.values():
                    raise TypeError("the row is short")
                values = [float(row[metric]) if row[metric] else None for metric in records.METRICS]
                method, track, target = row["method"], row["track"], row["target"]
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{table}, line {number}: expected method, track, target, frames, SDR, ISR, SIR, SAR, not "
                    f"{list(row.values())}"
                ) from error
            if target not in targets:
                raise ValueError(f"{table}, line {number}: target '{target}' is none of {', '.join(targets)}")
            of_target = scores.setdefault(method, {}).setdefault(target, {})
            if track in of_target:
                raise ValueError(f"{table}, line {number}: a second row of {method}, {track}, {target}")
            of_target[track] = values
    return scores


def _compact(content: dict[str, Any]) -> str:
    """JSON of one line a system's target: small, and a change of one is a line of a diff."""
    lines = [f'"{key}":{_json(value)}' for key, value in content.items() if key != "systems"]
    systems = []
    for name, system in content["systems"].items():
        scores = ",\n".join(f"{_json(target)}:{_json(values)}" for target, values in system["scores"].items())
        about = ",".join(f'"{key}":{_json(value)}' for key, value in system.items() if key != "scores")
        systems.append(f'{_json(name)}:{{{about},"scores":{{\n{scores}}}}}')
    return "{" + ",\n".join([*lines, '"systems":{\n' + ",\n".join(systems) + "}"]) + "}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_reported(folder: Path) -> list[dict[str, Any]]:
    """The rows under <folder>/reported/ and the figures in <folder>/reported.yaml, as records of tier `reported`.

    The figures are of no track: they have a row, and no statistics. Where an entry names none, their dataset is the
    board's folder's name, their split `test`, and their metric BSSEval v4 with medians, of targets that were scored
    together as nobody says. One that does not say where it was read is of the tier `unverified`.

    Raises:
        ValueError: If a file cannot be read; the message names it.
    """
    found = []
    for path in sorted((folder / "reported").glob("*.json")):
        try:
            found += list(_expanded(json.loads(path.read_text("utf-8"))))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, IndexError) as error:
            where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise ValueError(f"{path}{where}: not a table of reported scores: import it again") from error
    figures = folder / "reported.yaml"
    if figures.is_file():
        found += _figures(figures)
    return found


def _figures(path: Path) -> list[dict[str, Any]]:
    entries = read_yaml(path)
    if not isinstance(entries or [], list):
        raise ValueError(f"{path}: expected a list of entries, each of one system")
    return [_figure(entry, number, path) for number, entry in enumerate(entries or [], 1)]


def _figure(entry: Any, number: int, path: Path) -> dict[str, Any]:
    try:
        unknown = [key for key in entry if key not in FIGURE_FIELDS]
        if unknown:
            raise ValueError(f"unknown field {unknown[0]!r}: the fields are {', '.join(FIGURE_FIELDS)}")
        name, citation, data = str(entry["system"]), str(entry["citation"]), entry["data"]
        if data not in TRAINING:
            raise ValueError(f"data is one of {', '.join(TRAINING)}, not {data!r}")
        stated = entry.get("metric")
        family = MetricId.parse(str(stated)) if stated else BSSEVAL.with_setting("together=not-stated")
        targets = sorted(entry[shown(str(family))[0]])
        metric = str(family.of(targets))
        scores: dict[str, dict[str, Any]] = {}
        for target in targets:
            values = {score: (entry.get(score) or {}).get(target) for score in dict.fromkeys((*shown(metric), "ISR"))}
            known = {score: None if value is None else float(value) for score, value in values.items()}
            scores[target] = known | ({"reason": "not published"} if None in known.values() else {})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}, entry {number}: expected system, citation, data and SDR of each target (NSDR where the metric is "
            f"that), and what else is known ({error})"
        ) from error
    place = str(entry.get("dataset") or path.parent.name), str(entry.get("split") or "test")
    row = _row(name, "system", data, citation, place, [], metric, {"median": scores})
    # A figure that nobody read where it stands is not even reported.
    return row | ({"read_in": str(entry["read_in"])} if entry.get("read_in") else {"tier": "unverified"})


def _expanded(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    columns, tracks = content["columns"], content["tracks"]
    targets = MetricId.parse(content["metric"]).targets
    absent = {**dict.fromkeys(columns), "reason": "not submitted"}
    silent = {**dict.fromkeys(columns), "reason": "no window with a score"}
    for name, system in content["systems"].items():
        scores: dict[str, dict[str, Any]] = {}
        for i, track in enumerate(tracks):
            scores[track] = {}
            for target in targets:
                values = system["scores"].get(target)
                if values is None or values[i] is None:
                    scores[track][target] = absent
                else:
                    known = dict(zip(columns, values[i], strict=True))
                    missing = {"reason": silent["reason"]} if None in values[i] else {}
                    scores[track][target] = known | missing
        place = content["dataset"], content["split"]
        row = _row(name, system["role"], system["data"], content["source"], place, tracks, content["metric"], scores)
        row["metric"]["beside"] = [column for column in columns if column not in records.METRICS]
        yield row


def _row(
    name: str, role: str, data: str, source: str, place: tuple[str, str], tracks: list[str], metric: str,
    scores: dict[str, dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    return {
        "schema_version": records.SCHEMA_VERSION,
        "tier": "reported",
        "source": source,
        "model": {"name": name, "label": name, "role": role, "targets": list(MetricId.parse(metric).targets)},
        "training": {"data": data},
        "dataset": {"name": place[0], "split": place[1], "fingerprint": None, "tracks": tracks},
        "metric": {"id": metric},
        "seed": None,
        "scores": scores,
    }
