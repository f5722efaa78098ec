"""A suite is run from Python as from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import msbench
from msbench.cli.app import main
from tests.tiny import write_songs

SUITE = """
board: tiny
datasets: [folder]
roots: {folder: songs}
models: [mixture, mixture_share]
"""
# The jobs that a suite is run with, in a process that may use one processor alone.
ON_ONE_PROCESSOR = """
import os, sys
from msbench import benchmarking

def told(suite, cells, jobs, console):
    print("jobs", jobs)
    return {cell.name: "not run" for cell in cells}

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
benchmarking.run_cells = told
benchmarking.prepare_data = lambda suite, console: None
benchmarking.bench(sys.argv[1])
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_songs(tmp_path / "songs")
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path / "suite.yaml"


def test_a_suite_is_run_and_told_in_a_value(suite: Path, capfd: pytest.CaptureFixture[str]) -> None:
    benched = msbench.bench(suite, jobs=1)
    assert len(benched.done) == 2
    assert not benched.failed
    assert set(benched.board.table()["model"]) == {"mixture", "mixture_share"}
    assert benched.written[-1] == suite.parent / "site" / "index.html"
    assert all(path.is_file() for path in benched.written)
    assert capfd.readouterr().out == ""

    broken = suite.parent / "records" / f"{benched.done[0]}.json"
    broken.unlink()
    (suite.parent / "songs" / "test").rename(suite.parent / "songs" / "elsewhere")
    with pytest.raises(ValueError, match="split 'test'"):
        msbench.bench(suite.parent, jobs=1)
    (suite.parent / "songs" / "elsewhere").rename(suite.parent / "songs" / "test")
    assert msbench.bench(suite.parent, jobs=1).done == (benched.done[0],)
    assert msbench.bench(suite.parent).done == ()


def test_jobs_below_one_are_bad_input(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(suite), "--jobs", "0"]) == 2
    assert capsys.readouterr().err == "msbench: jobs must be at least 1, not 0\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="masks are Linux's")
def test_jobs_are_as_many_as_the_processors_of_this_process(suite: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_ONE_PROCESSOR, str(suite)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "jobs 1\n"


def test_the_demo_suite_is_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from msbench.benchmarking import demo_suite

    monkeypatch.chdir(tmp_path)
    path = demo_suite()
    assert "datasets: [demo]" in path.read_text()
    path.write_text("mine")
    assert demo_suite().read_text() == "mine"
