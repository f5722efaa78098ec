"""How the end of a cell's process on this machine is judged."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from msbench.cluster.local_cell import RESTARTS, LocalCell
from msbench.runs.state import write_state
from msbench.runs.suite import read_suite


@pytest.fixture
def cell(tmp_path: Path) -> LocalCell:
    (tmp_path / "suite.yaml").write_text("datasets: [demo]\nmodels: [mixture]\n")
    suite = read_suite(tmp_path)
    suite.run_folder(suite.cells[0]).mkdir(parents=True)
    return LocalCell(suite, suite.cells[0], gpu_count=2)


def start(cell: LocalCell) -> SimpleNamespace:
    """Start a process that is none, and that ends when it is given an exit code."""
    process = SimpleNamespace(exitcode=None, start=lambda: None)
    context: Any = SimpleNamespace(Process=lambda **_: process)
    cell.start(context, threads=1, gpus=["0", "3"])
    return process


def test_what_it_writes_is_taken_in(cell: LocalCell) -> None:
    folder = cell.suite.run_folder(cell.cell)
    write_state(folder, stage="failed", error="of an earlier run")
    time.sleep(0.05)
    process = start(cell)
    assert not cell.look()
    assert (cell.stage, cell.part_done, cell.gpus) == ("starting", 0.0, ["0", "3"])
    write_state(folder, stage="evaluating", done=0.5, metrics={"voice": 3.0})
    assert not cell.look()
    assert (cell.stage, cell.part_done, cell.metrics) == ("evaluating", 0.5, {"voice": 3.0})
    process.exitcode = 0
    assert cell.look()
    assert not cell.settle()
    assert (cell.stage, cell.part_done, cell.failure, cell.gpus) == ("done", 1.0, None, [])


def test_one_that_saved_itself_is_started_again_some_times(cell: LocalCell) -> None:
    for _ in range(RESTARTS):
        start(cell).exitcode = 85
        assert cell.look()
        assert cell.settle()
        assert (cell.stage, cell.seconds, cell.gpus) == ("waiting", None, [])
    start(cell).exitcode = 85
    assert not cell.settle()
    assert cell.stage == "failed"
    assert cell.failure is not None
    assert cell.failure.startswith("exit code 85; see ")


@pytest.mark.parametrize(
    ("code", "error", "cause"),
    [
        (-9, "of the last epoch", "killed by signal 9 (out of memory?); see "),
        (-11, None, "killed by signal 11; see "),
        (1, "no luck", "no luck"),
        (2, None, "exit code 2; see "),
    ],
)
def test_causes(cell: LocalCell, code: int, error: str | None, cause: str) -> None:
    process = start(cell)
    if error is not None:
        write_state(cell.suite.run_folder(cell.cell), stage="failed", error=error)
    process.exitcode = code
    assert cell.look()
    assert not cell.settle()
    assert cell.failure is not None
    assert cell.failure.startswith(cause)
    assert cell.seconds is not None
