"""Classes of failure, and what SLURM's answers are read as."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from msbench.runs import failures
from msbench.runs.state import write_state


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB", "out of memory"),
        ("RuntimeError", "CUDA error: uncorrectable ECC error encountered", "CUDA"),
        ("ValueError", "4 GPUs are asked for on each node and 2 are visible here", "CUDA"),
        ("ValueError", "training loss became nan in epoch 0, step 6", "NaN loss"),
        ("FileNotFoundError", "no dataset 'musdb18hq' at /data", "data"),
        ("LibsndfileError", "Error opening 'a/vocals.wav'", "data"),
        ("ModuleNotFoundError", "No module named 'foo'", "import"),
        ("TypeError", "unsupported operand", "code"),
    ],
)
def test_errors_are_classed(kind: str, text: str, expected: str) -> None:
    assert failures.kind_of_error(kind, text) == expected


@pytest.mark.parametrize(
    ("state", "code", "log", "expected"),
    [
        ("OUT_OF_MEMORY", 137, "", "out of memory"),
        ("FAILED", 137, "slurmstepd: error: Detected 1 oom-kill event(s)", "out of memory"),
        ("TIMEOUT", None, "", "time limit"),
        ("NODE_FAIL", None, "", "node"),
        ("PREEMPTED", None, "", "preempted"),
        ("CANCELLED", 143, "", "cancelled"),
        ("FAILED", 137, "step 12", "killed"),
        ("FAILED", 85, "step 12", "preempted"),
        ("FAILED", 1, "Traceback\nKeyError: 'a'", "code"),
    ],
)
def test_ends_without_a_word_are_classed(state: str, code: int | None, log: str, expected: str) -> None:
    assert failures.kind_of_slurm_end(state, code, log) == expected


def test_only_what_can_heal_is_tried_again() -> None:
    assert set(failures.RETRIED) < set(failures.KINDS)
    assert not {"code", "data", "import", "NaN loss", "cancelled"} & set(failures.RETRIED)


def test_the_newer_of_verdict_and_state_is_the_cause(tmp_path: Path) -> None:
    write_state(tmp_path, stage="training")
    assert failures.cause(tmp_path) == "training"
    failures.write_verdict(tmp_path, {"cause": "node on n2: SLURM says NODE_FAIL", "time": time.time()})
    assert failures.cause(tmp_path) == "node on n2: SLURM says NODE_FAIL"
    write_state(tmp_path, stage="failed", error="no luck")
    assert failures.cause(tmp_path) == "no luck"
    assert failures.cause(tmp_path / "nowhere") == "not run yet"
