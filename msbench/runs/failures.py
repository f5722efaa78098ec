"""Why a cell has no record: the classes of failure, from what the process, its log and SLURM said."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msbench.runs.state import read_json, read_state
from msbench.system.exit_codes import SAVED
from msbench.system.files import write_text

# Classes that trying again can heal; the others fail again, whoever runs them.
RETRIED = ("node", "preempted", "time limit", "CUDA", "killed", "lost")
KINDS = (*RETRIED, "out of memory", "NaN loss", "data", "import", "code", "cancelled")

_BY_TEXT = (
    ("out of memory", r"out of memory|OutOfMemory|oom-kill|MemoryError|Cannot allocate memory"),
    ("CUDA", r"CUDA error|CUDA-capable|NCCL|cuDNN|CUBLAS|ECC error|(are|is) visible here"),
    ("NaN loss", r"(?i)loss became (nan|inf|-inf)|not finite|non-finite loss"),
    ("import", r"ImportError|ModuleNotFoundError|is broken:|No module named"),
    ("data", r"no dataset|FileNotFoundError|LibsndfileError|SoundFileError|broken track|\.(wav|flac|mp4)\b"),
)
_BY_SLURM = {
    "OUT_OF_MEMORY": "out of memory",
    "TIMEOUT": "time limit",
    "DEADLINE": "time limit",
    "NODE_FAIL": "node",
    "BOOT_FAIL": "node",
    "PREEMPTED": "preempted",
    "CANCELLED": "cancelled",
    "REVOKED": "cancelled",
}


def kind_of_error(kind: str, text: str) -> str:
    """The class of an error that a process reported: its exception's name and sentence, or the end of its log."""
    for name, pattern in _BY_TEXT:
        if re.search(pattern, f"{kind}: {text}"):
            return name
    return "code"


def kind_of_slurm_end(state: str, exit_code: int | None, log: str) -> str:
    """The class of an end that the process did not report itself.

    Args:
        state: SLURM's, as "NODE_FAIL".
        exit_code: Of the step, as the shell saw it: 128 + signal where it was killed.
        log: The last lines of the log.
    """
    if state in _BY_SLURM:
        return _BY_SLURM[state]
    named = kind_of_error("", log)
    if named != "code":
        return named
    if exit_code is not None and exit_code > 128:
        return "killed"
    return "preempted" if exit_code == SAVED else "code"


def write_verdict(folder: Path, verdict: Mapping[str, Any]) -> None:
    """Keep what SLURM said of a run's end in slurm.json: without accounting, it forgets within minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "slurm.json", json.dumps(dict(verdict)))


def read_verdict(folder: Path) -> dict[str, Any]:
    """What `write_verdict` kept, or nothing."""
    verdict = read_json(folder / "slurm.json")
    return verdict if isinstance(verdict, dict) else {}


def cause(folder: Path) -> str:
    """Why a run has no record, in one sentence, from its folder alone."""
    state, verdict = read_state(folder), read_verdict(folder)
    if "cause" in verdict and _time_of(verdict) >= _time_of(state):
        return str(verdict["cause"])
    return str(state.get("error") or state.get("stage") or "not run yet")


def _time_of(content: Mapping[str, Any]) -> float:
    value = content.get("time", 0)
    return value if isinstance(value, int | float) else 0.0
