"""Learning curves of a study's cells, kept small in a board's folder, where they outlive the runs they come from."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from msbench.leaderboard.display import is_number
from msbench.leaderboard.files import read_object
from msbench.system import bounded
from msbench.system.errors import is_deliberate
from msbench.system.files import write_text

FILE = "curves.json"
MOST_POINTS = 200  # of one curve: more are thinned evenly
SCORES = ("val_track_sdr", "val_loss", "train_loss")  # columns of a run's log; the first that is there is kept
_LONGEST_LOG = 32 * 2**20  # bytes; a log of 100,000 lines has five million


@dataclass(frozen=True)
class Curve:
    """A run's SDR or loss by training step.

    Attributes:
        score: `val_track_sdr` where whole songs were validated, else `val_loss`, or `train_loss` without validation.
    """

    score: str
    steps: list[int]
    values: list[float]


def read_curves(folder: Path) -> dict[str, Curve]:
    """{cell name: its curve} of a board's curves.json; none where there is no such file.

    Raises:
        ValueError: If it cannot be read; the message names it.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    found = {}
    for name, content in read_object(folder, path).items():
        if not _is_curve(content):
            raise ValueError(
                f"{path}: {bounded.shown(name)} has no steps and values of one length: delete the file, and build the "
                "board again"
            )
        values = [float(each) for each in content["values"]]
        found[name] = _thinned(Curve(content["score"], content["steps"], values))
    return found


def update_curves(folder: Path, runs: Mapping[str, Path]) -> Path | None:
    """Write the curves of the runs that are here into curves.json; those whose run is gone stay as they are.

    Args:
        folder: The board's.
        runs: {cell name: its run's folder} of all cells of studies.

    Returns:
        The file; None where there is no curve.
    """
    kept = {name: curve for name, curve in read_curves(folder).items() if name in runs}
    found = {name: curve for name, run in runs.items() if (curve := curve_of(run) or kept.get(name)) is not None}
    path = folder / FILE
    if not found and not path.exists():
        return None
    lines = [f" {json.dumps(name)}: {json.dumps(asdict(curve), allow_nan=False)}" for name, curve in found.items()]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def curve_of(run: Path) -> Curve | None:
    """The curve in the logs of a run and of all its restarts; None where there is none."""
    lines = [line for path in _logs(run) for line in _lines(path)]
    for score in SCORES:
        points = dict(filter(None, (_point(line, score) for line in lines)))  # of a step logged twice, the later
        if points:
            steps = sorted(points)
            return _thinned(Curve(score, steps, [points[step] for step in steps]))
    return None


def _logs(run: Path) -> list[Path]:
    """Lightning's CSV logs, one per start of the run, the first start first."""
    found = (run / "logs").glob("version_*/metrics.csv")
    numbered = [(path.parent.name.removeprefix("version_"), path) for path in found if path.is_file()]
    return [path for number, path in sorted((int(number), path) for number, path in numbered if number.isdecimal())]


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    try:
        text = bounded.read_text(path, _LONGEST_LOG)
        return list(csv.DictReader(text.splitlines()))
    except (ValueError, OSError, csv.Error) as error:
        if isinstance(error, ValueError) and not is_deliberate(error):
            raise
        return []  # a run that died may leave anything


def _point(line: Mapping[str, Any], score: str) -> tuple[int, float] | None:
    try:
        step, value = int(line["step"]), float(line[score])
    except (KeyError, TypeError, ValueError):
        return None
    return (step, float(f"{value:.5g}")) if math.isfinite(value) and step >= 0 else None


def _thinned(curve: Curve) -> Curve:
    count = len(curve.steps)
    if count <= MOST_POINTS:
        return curve
    kept = sorted({round(i * (count - 1) / (MOST_POINTS - 1)) for i in range(MOST_POINTS)})
    return Curve(curve.score, [curve.steps[i] for i in kept], [curve.values[i] for i in kept])


def _is_curve(content: Any) -> bool:
    if not isinstance(content, dict) or content.get("score") not in SCORES:
        return False
    steps, values = content.get("steps"), content.get("values")
    if not isinstance(steps, list) or not isinstance(values, list) or len(steps) != len(values):
        return False
    return all(type(step) is int and 0 <= step < 2**53 for step in steps) and all(is_number(each) for each in values)
