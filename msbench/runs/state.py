"""What a run's folder tells those who watch: its state, and every attempt at it."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from msbench.records.types import Run
from msbench.system import bounded
from msbench.system.files import write_text

_LATEST = 1e11  # seconds since 1970, and far more than the GPUs of any machine


def write_state(folder: Path, **state: Any) -> None:
    """Replace the run's state.json at once, so that a reader never sees half of one."""
    content = {**state, "host": socket.gethostname(), "time": time.time()}
    write_text(folder / "state.json", json.dumps(content))  # a metric may be NaN, which is no JSON of the strict kind


def read_state(folder: Path) -> dict[str, Any]:
    """What the run last wrote: stage, part done, metrics or error, host, time; empty where there is nothing."""
    state = read_json(folder / "state.json")
    if not isinstance(state, dict):
        return {}
    sound = isinstance(state.get("time", 0), int | float) and isinstance(state.get("metrics") or {}, dict)
    return state if sound and isinstance(state.get("stage", ""), str) else {}


def read_json(path: Path) -> Any:
    """The JSON that a run wrote; None where there is none that can be read, as where the machine died meanwhile."""
    try:
        return bounded.read_json(path)
    except (OSError, ValueError):
        return None


def mark_trained(folder: Path, **state: Any) -> None:
    """Note for good that the run's training has ended, whatever becomes of its evaluation."""
    write_text(folder / "trained.json", json.dumps(state))


def is_trained(folder: Path) -> bool:
    """Whether the run's training has ended."""
    return (folder / "trained.json").is_file()


def begin_attempt(folder: Path, stage: str, gpus: int) -> None:
    """Note in attempts.json that a stage of the run starts here, and on how many GPUs of all nodes."""
    job = os.environ.get("SLURM_JOB_ID")
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    attempt = {
        "stage": stage,
        "started": time.time(),
        "ended": None,
        "host": socket.gethostname(),
        "gpus": gpus,
        "slurm_job_id": job,
        "exit_code": None,
    }
    write_text(folder / "attempts.json", json.dumps([*attempts(folder), attempt]))


def end_attempt(folder: Path, exit_code: int) -> None:
    """Note how the last attempt ended; one that was killed keeps null."""
    known = attempts(folder)
    known[-1] |= {"ended": time.time(), "exit_code": exit_code}
    write_text(folder / "attempts.json", json.dumps(known))


def attempts(folder: Path) -> list[dict[str, Any]]:
    """Each attempt at the run, the first first.

    Returns:
        Dictionaries of stage (`train` or `evaluate`), started and ended (seconds since 1970; ended is None where the
        process was killed), host, gpus, slurm_job_id (None outside SLURM) and exit_code.
    """
    known = read_json(folder / "attempts.json")
    return [each for each in known if isinstance(each, dict)] if isinstance(known, list) else []


def whole_attempts(folder: Path) -> list[dict[str, Any]]:
    """Those attempts that are as `begin_attempt` writes them: a run's folder may be a stranger's."""
    return [each for each in attempts(folder) if _is_whole(each)]


def _is_whole(attempt: dict[str, Any]) -> bool:
    times = (attempt.get("started"), attempt.get("ended") or 0, attempt.get("gpus"))
    return (
        isinstance(attempt.get("stage"), str)
        and isinstance(attempt.get("slurm_job_id", 0), str | None)
        and all(isinstance(each, int | float) and 0 <= each < _LATEST for each in times)
    )


def run_summary(folder: Path) -> Run:
    """What a record says of the run: restarts, hours on the clock and of GPUs, jobs.

    The hours of an attempt that was killed are not known.
    """
    known = whole_attempts(folder)
    now = time.time()
    last = len(known) - 1
    ends = [each["ended"] or (now if i == last else each["started"]) for i, each in enumerate(known)]
    hours = [(end - each["started"]) / 3600 for each, end in zip(known, ends, strict=True)]
    gpu_hours = sum(each["gpus"] * lasted for each, lasted in zip(known, hours, strict=True))
    jobs = dict.fromkeys(each["slurm_job_id"] for each in known if each["slurm_job_id"])
    stages = {each["stage"] for each in known}
    return {
        "restarts": len(known) - len(stages),
        "hours": round(sum(hours), 4),
        "gpu_hours": round(gpu_hours, 4),
        "slurm_job_ids": list(jobs),
    }
