"""What the runs and records of a suite tell of time and memory, and what was measured for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from msbench import records
from msbench.runs.state import read_json, read_state, whole_attempts
from msbench.runs.suite import Cell, Suite
from msbench.system.errors import is_bug
from msbench.system.wording import counted

MEASURED = "measured.json"  # in the board's runs/, which belongs to one machine or cluster and is not published
MOST_RECORDS = 20  # that are read for the speed of separation
_MOST_BYTES, _LONGEST_STEP = 2**50, 1e6


@dataclass(frozen=True)
class RunFacts:
    """What a run's folder tells; None where it does not.

    Attributes:
        stage: As `state.json` has it; "" where there is none.
        part_done: Of that stage.
        steps: Of the training, where it has ended.
        train_seconds, evaluate_seconds: Of all attempts; None where one was killed, whose time is not known.
        peak_bytes: Of the training.
        device: That it was trained on.
    """

    stage: str = ""
    part_done: float | None = None
    steps: int | None = None
    train_seconds: float | None = None
    evaluate_seconds: float | None = None
    peak_bytes: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Cost:
    """What a training costs, and who says so.

    Attributes:
        step_seconds: Per step of the optimizer.
        peak_bytes: Peak memory, where it is known.
        source: "run NAME on DEVICE", or "measured on DEVICE".
        of_a_step: Whether the step alone was measured, not a whole training.
    """

    step_seconds: float
    peak_bytes: int | None
    source: str
    of_a_step: bool = False


def facts_of(folder: Path) -> RunFacts:
    """Read a run's folder; what is not there, or broken, is None."""
    state = read_state(folder)
    ended = read_json(folder / "trained.json")
    ended = ended if isinstance(ended, dict) else {}
    attempts = whole_attempts(folder)
    device = ended.get("device")
    return RunFacts(
        stage=str(state.get("stage", "")),
        part_done=_number(state.get("done"), 1),
        steps=_whole(ended.get("steps")),
        train_seconds=_seconds(attempts, "train") if ended else None,
        evaluate_seconds=_seconds(attempts, "evaluate") if attempts and attempts[-1].get("exit_code") == 0 else None,
        peak_bytes=_whole(ended.get("peak_bytes")),
        device=device if isinstance(device, str) else None,
    )


def _seconds(attempts: Sequence[dict[str, Any]], stage: str) -> float | None:
    """What the attempts at a stage took together."""
    spans = [(each["started"], each["ended"]) for each in attempts if each["stage"] == stage]
    if not spans or any(ended is None or ended < started for started, ended in spans):
        return None
    return float(sum(ended - started for started, ended in spans))


def cost_of_runs(runs: Iterable[tuple[str, RunFacts]]) -> Cost | None:
    """What trainings alike, each with its name, have cost per step: the median of those that have ended."""
    ended = [(name, facts) for name, facts in runs if facts.steps and facts.train_seconds]
    if not ended:
        return None
    seconds = median(facts.train_seconds / facts.steps for _, facts in ended if facts.train_seconds and facts.steps)
    peaks = [facts.peak_bytes for _, facts in ended if facts.peak_bytes]
    devices = list(dict.fromkeys(facts.device for _, facts in ended if facts.device))
    where = f" on {' and '.join(devices)}" if devices else ""
    name = ended[0][0] if len(ended) == 1 else f"{counted(len(ended), 'run')} as {ended[0][0]}"
    return Cost(seconds, max(peaks, default=None), f"run {name}{where}" if len(ended) == 1 else f"{name}{where}")


def measured_in(suite: Suite) -> dict[str, dict[str, Any]]:
    """{shape of a training: its measurement}, as `--measure` has kept them."""
    kept = read_json(suite.folder / "runs" / MEASURED)
    if not isinstance(kept, dict):
        return {}
    return {shape: each for shape, each in kept.items() if isinstance(each, dict) and _is_sound(each)}


def _is_sound(measurement: dict[str, Any]) -> bool:
    seconds = _number(measurement.get("step_seconds"), _LONGEST_STEP)
    return bool(seconds) and isinstance(measurement.get("device"), str)


def cost_measured(measurement: dict[str, Any]) -> Cost:
    """The cost that a measurement tells."""
    threads = _whole(measurement.get("threads"))
    where = str(measurement["device"]) + (f" ({counted(threads, 'thread')})" if threads else "")
    return Cost(float(measurement["step_seconds"]), _whole(measurement.get("peak_bytes")), f"measured on {where}", True)


def separation_hours(suite: Suite, cells: Sequence[Cell]) -> dict[str, float]:
    """What separating its dataset's tracks took by the record of each of these cells, by the cell's name."""
    found = {}
    for cell in cells[:MOST_RECORDS]:
        try:
            record = records.read(suite.record_path(cell))
        except (OSError, ValueError) as error:
            if is_bug(error):
                raise
            continue
        factor = (record.get("speed") or {}).get("real_time_factor")
        seconds = sum(record["dataset"].get("seconds") or ())
        if factor and seconds:
            found[cell.name] = factor * seconds / 3600
    return found


def _number(value: Any, most: float) -> float | None:
    sound = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
    return float(value) if sound else None


def _whole(value: Any) -> int | None:
    found = _number(value, _MOST_BYTES)
    return None if found is None else int(found)
