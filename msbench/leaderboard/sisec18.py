"""Import of SiSEC 2018: 31 systems on the 50 test tracks of MUSDB18, as reported rows of a board."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from msbench import records
from msbench.metrics.catalogue import mean_of
from msbench.records.faults import LARGEST
from msbench.records.frames import medians_over_windows
from msbench.records.metric_id import BSSEVAL, MEAN_SDR
from msbench.system import bounded
from msbench.system.bounded import shown
from msbench.system.files import write_text
from msbench.system.names import LONGEST_FILE, inside, plain_name

TARGETS = ("vocals", "drums", "bass", "other", "accompaniment")
# museval scored vocals against the accompaniment where that was submitted, and the stems together before that
# (eval_mus_track at sigsep-mus-eval 1917557, of the campaign's time, as in 0.4.1).
STEMS = ("vocals", "drums", "bass", "other")
PAIR = ("vocals", "accompaniment")
CEILINGS = ("IBM1", "IBM2", "IRM1", "IRM2", "MWF")
FLOORS = ("MIX",)
NOTES = {
    "MWF": "its code, MWF.py of sigsep/sigsep-mus-oracle (1590b09), has two numerical faults, which cost it up to 1.7 "
    "dB SDR on songs where that was measured; oracle_wiener is without them, and has them with variant: sisec"
}
WITH_EXTRA_DATA = ("STL1", "TAK2", "TAK3", "TAU1", "UHL3")
SOURCE = (
    "Stöter, Liutkus, Ito: The 2018 Signal Separation Evaluation Campaign, LVA/ICA 2018; the submissions' museval JSON "
    "in the repository sigsep/sigsep-mus-2018"
)

OfSystem = dict[str, dict[str, list[float | None]]]  # {target: {track: a value per column}}
BySystem = dict[str, OfSystem]


def import_sisec18(table: Path, folder: Path) -> list[Path]:
    """Keep the scores of SiSEC 2018 as reported rows of a board, in <folder>/reported/.

    `sisec18.json` has the scores of the four stems together, and `sisec18-accompaniment.json` those of vocals against
    accompaniment. Vocals of a system that submitted its accompaniment have scores in the second alone.

    Args:
        table: CSV of method, track, target, frames, SDR, ISR, SIR, SAR, the medians over windows; an empty cell has no
            score. Or the campaign's own folder submissions/, of <method>/test/<track>.json as museval writes them; the
            mean over windows is then kept with the medians.
        folder: The board's.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If a row or a file is not as above; the message names it.
    """
    if table.is_dir():
        scores = _of_submissions(table)
    elif table.is_file():
        scores = _of_csv(table)
    else:
        raise FileNotFoundError(f"no table {table}: give the CSV of SiSEC 2018's track medians")
    tracks = sorted({track for of_system in scores.values() for found in of_system.values() for track in found})
    means = table.is_dir()
    written = []
    for name, together in (("sisec18", STEMS), ("sisec18-accompaniment", PAIR)):
        parts = {method: _scored_with(together, found) for method, found in sorted(scores.items())}
        about = {"source": SOURCE, "dataset": "musdb18", "split": "test", "metric": str(BSSEVAL.of(together))}
        columns = [*records.METRICS, *([str(MEAN_SDR.of(together))] if means else [])]
        systems = {method: _system(method, found, tracks) for method, found in parts.items() if found}
        path = inside(folder, "reported", f"{name}.json")
        if systems:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, _compact({**about, "columns": columns, "tracks": tracks, "systems": systems}))
            written.append(path)
        else:
            path.unlink(missing_ok=True)  # of an earlier import, of other rows
    return written


def _scored_with(together: tuple[str, ...], found: OfSystem) -> OfSystem:
    """The targets of a system that museval scored in a set."""
    apart = set(PAIR) <= found.keys()
    own = PAIR if apart else ()
    return {t: found[t] for t in together if t in found and (together == PAIR) == (t in own)}


def _system(method: str, found: OfSystem, tracks: list[str]) -> dict[str, Any]:
    return {
        "role": "ceiling" if method in CEILINGS else "floor" if method in FLOORS else "system",
        "data": "extra" if method in WITH_EXTRA_DATA else "standard",
        **({"note": NOTES[method]} if method in NOTES else {}),
        "scores": {target: [values.get(track) for track in tracks] for target, values in found.items()},
    }


def _of_submissions(folder: Path) -> BySystem:
    """Medians over windows, and SDR's mean, of museval's files."""
    scores: BySystem = {}
    files = sorted(folder.glob("*/test/*.json"))
    if not files:
        raise FileNotFoundError(f"{folder} has no <method>/test/<track>.json: give the campaign's folder submissions/")
    for path in files:
        of_system = scores.setdefault(path.parts[-3], {})
        try:
            text = bounded.read_text(path)
            bounded.check_json(text)
            for target in json.loads(text)["targets"]:
                medians = medians_over_windows(target["frames"])
                windows = np.array([frame["metrics"]["SDR"] for frame in target["frames"]], float)
                mean = None if medians["SDR"] is None else mean_of(windows)
                values = [None if value is None else round(value, 5) for value in (*medians.values(), mean)]
                of_system.setdefault(target["name"], {})[path.stem] = values
                if not _are_scores(values):
                    raise ValueError("a score is no number that a board can show")
        except (KeyError, TypeError, ValueError, RecursionError) as error:  # whatever is not as museval writes it
            raise ValueError(f"{path} is not a file of museval's scores: restore it") from error
    return scores


def _of_csv(table: Path) -> BySystem:
    scores: BySystem = {}
    text = io.StringIO(bounded.read_text(table), newline="")
    try:
        for number, row in enumerate(csv.DictReader(text), 2):
            where = f"{table}, line {number}"
            values = _values(row)
            if values is None:
                wanted = "method, track, target, frames, SDR, ISR, SIR, SAR"
                raise ValueError(f"{where}: expected {wanted}, not {shown(list(row.values()))}")
            method, track, target = row["method"], row["track"], row["target"]
            for name in (method, track):
                plain_name(name, f"{where}: the name", LONGEST_FILE)
            if target not in TARGETS:
                raise ValueError(f"{where}: target {shown(target)} is none of {', '.join(TARGETS)}")
            of_target = scores.setdefault(method, {}).setdefault(target, {})
            if track in of_target:
                raise ValueError(f"{where}: a second row of {method}, {track}, {target}")
            of_target[track] = values
    except csv.Error as error:
        raise ValueError(f"{table} is not CSV that can be read: {error}") from error
    return scores


def _values(row: dict[str, Any]) -> list[float | None] | None:
    """The scores in a row of the CSV; None if it is short or one is no number."""
    if None in row.values() or not {"method", "track", "target", *records.METRICS} <= row.keys():
        return None
    try:
        values = [float(row[metric]) if row[metric] else None for metric in records.METRICS]
    except ValueError:
        return None
    return values if _are_scores(values) else None


def _are_scores(values: list[float | None]) -> bool:
    """Whether a board can show them: no record may hold larger ones either."""
    return all(value is None or abs(value) <= LARGEST for value in values)  # NaN is not


def _compact(content: dict[str, Any]) -> str:
    """JSON with one line per target of a system: small, and a change of one is one line of a diff."""
    lines = [f'"{key}":{_json(value)}' for key, value in content.items() if key != "systems"]
    systems = []
    for name, system in content["systems"].items():
        scores = ",\n".join(f"{_json(target)}:{_json(values)}" for target, values in system["scores"].items())
        about = ",".join(f'"{key}":{_json(value)}' for key, value in system.items() if key != "scores")
        systems.append(f'{_json(name)}:{{{about},"scores":{{\n{scores}}}}}')
    return "{" + ",\n".join([*lines, '"systems":{\n' + ",\n".join(systems) + "}"]) + "}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
