"""What a run's folder tells those who watch: its state, and every attempt at it."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any


def write_state(folder: Path, **state: Any) -> None:
    """Replace the run's state.json at once, so that a reader never sees half of one."""
    _replace(folder / "state.json", {**state, "host": socket.gethostname(), "time": time.time()})


def read_state(folder: Path) -> dict[str, Any]:
    """What the run last wrote: stage, part done, metrics or error, host, time; empty where there is nothing."""
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except (OSError, json.JSONDecodeError):
        return {}
    return state


def mark_trained(folder: Path, **state: Any) -> None:
    """Note for good that the run's training has ended, whatever becomes of its evaluation."""
    _replace(folder / "trained.json", state)


def is_trained(folder: Path) -> bool:
    """Whether the run's training has ended."""
    return (folder / "trained.json").is_file()


def begin_attempt(folder: Path, stage: str, gpus: int) -> None:
    """Note in attempts.json that a stage of the run starts here, on so many GPUs in all."""
    job = os.environ.get("SLURM_JOB_ID")
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    attempt = {"stage": stage, "started": time.time(), "ended": None, "host": socket.gethostname(), "gpus": gpus,
               "slurm_job_id": job, "exit_code": None}  # fmt: skip
    _replace(folder / "attempts.json", [*attempts(folder), attempt])


def end_attempt(folder: Path, exit_code: int) -> None:
    """Note how the last attempt ended; one that was killed keeps null."""
    known = attempts(folder)
    known[-1] |= {"ended": time.time(), "exit_code": exit_code}
    _replace(folder / "attempts.json", known)


def attempts(folder: Path) -> list[dict[str, Any]]:
    """Each attempt at the run, the first first.

    Returns:
        Dictionaries of stage (`train` or `evaluate`), started and ended (seconds since 1970; ended is None where the
        process was killed), host, gpus, slurm_job_id (None outside SLURM) and exit_code.
    """
    try:
        known: list[dict[str, Any]] = json.loads((folder / "attempts.json").read_text())
    except (OSError, json.JSONDecodeError):
        return []
    return known


def _replace(path: Path, content: Any) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)
