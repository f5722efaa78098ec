"""Measures a training step of a cell: its real recipe and batch shape, on made-up audio, in a process of its own.

    python -P -m msbench.planning.measuring SUITE CELL

Prints the measurement as one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msbench.cluster.cell import training_arguments
from msbench.planning.evidence import MEASURED
from msbench.planning.settings import training_of
from msbench.runs.suite import Cell, Suite, read_suite
from msbench.system.bounded import read_json
from msbench.system.errors import exit_code, report
from msbench.system.files import write_json
from msbench.system.safe_path import safe_path

MOST_SECONDS = 900  # for one measurement


def measure(suite: Suite, cell: Cell) -> dict[str, Any]:
    """The measurement of a cell's training step.

    Returns:
        As `msbench.training.measuring.measured_step`, with the time of day; or error, a sentence.
    """
    command = [sys.executable, "-P", "-m", "msbench.planning.measuring", "--", str(suite.path), cell.name]
    try:
        with safe_path():
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired:
        return {"error": f"a few steps took more than {MOST_SECONDS // 60} minutes"}
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        found: dict[str, Any] = json.loads(lines[-1])
        return found
    said = done.stderr.strip().splitlines()
    return {"error": said[-1].removeprefix("msbench: ") if said else f"exit code {done.returncode}"}


def keep(suite: Suite, shape: str, measurement: dict[str, Any]) -> None:
    """Keep a measurement for later plans, next to the runs."""
    path = suite.folder / "runs" / MEASURED
    try:
        known = read_json(path)
    except (FileNotFoundError, ValueError):
        known = {}
    write_json(path, {**(known if isinstance(known, dict) else {}), shape: measurement})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command above; returns its exit code."""
    *_, path, name = sys.argv[1:] if argv is None else argv
    try:
        suite = read_suite(path)
        cell = next(cell for cell in suite.cells if cell.name == name)
        print(json.dumps(_measured(cell)))
    except Exception as error:
        print(f"msbench: {report(error)}", file=sys.stderr)
        return exit_code(error)
    return 0


def _measured(cell: Cell) -> dict[str, Any]:
    from msbench.training.measuring import measured_step

    training = training_of(cell)
    if training is None:
        raise ValueError(f"{cell.name} trains nothing")
    with tempfile.TemporaryDirectory() as folder:
        found = measured_step(training_arguments(cell, Path(folder), devices=1, nodes=1), training.accumulated)
    return {**found, "time": time.time()}


if __name__ == "__main__":
    sys.exit(main())
