"""Suites on the private cluster, and waiting for them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from msbench.cluster.journal import SbatchJournal
from msbench.cluster.status import BUSY, CellStatus, statuses_of
from msbench.runs.suite import Suite, read_suite

STAND_IN = Path(__file__).with_name("stand_in.py")
SECONDS = 180.0  # on a busy machine


def write_suite(folder: Path, models: dict[str, dict[str, object]], seeds: tuple[int, ...] = (0,)) -> Suite:
    """A suite of stand-ins: {label: what it does}."""
    rows = [{"recipe": "unet_small", "label": label, "set": does} for label, does in models.items()]
    content = {"board": "small", "datasets": ["demo"], "seeds": [*seeds], "models": rows}
    (folder / "suite.yaml").write_text(yaml.safe_dump(content))
    return read_suite(folder)


def write_profile(folder: Path, **changes: object) -> Path:
    """A profile of the private cluster that runs the stand-in."""
    small = {"gpus": 0, "cpus": 1, "memory_gb": 0.5, "hours": 0.5}
    content: dict[str, object] = {
        "partition": "normal",
        "gpu_flag": "gres",
        "train": small,
        "evaluate": small,
        "aggregate": small,
        "python": f"{sys.executable} {STAND_IN}",
    }
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}))
    return path


def statuses(suite: Suite) -> dict[str, CellStatus]:
    """{label, or label and seed: status}."""
    found = statuses_of(suite, SbatchJournal.of(suite))
    return {f"{cell.label}-{cell.seed}": each for cell, each in zip(suite.cells, found, strict=True)}


def wait_until(ready: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.3)


def wait_for_end(suite: Suite, seconds: float = SECONDS) -> dict[str, CellStatus]:
    """Wait until no cell is under way."""
    wait_until(lambda: not any(each.state in BUSY for each in statuses(suite).values()), "the end", seconds)
    return statuses(suite)


def starts(suite: Suite, label: str) -> list[tuple[int, str, int]]:
    """What the stand-in of a cell noted each time that it started: its count, its node, its pid."""
    cell = next(cell for cell in suite.cells if cell.label == label)
    path = suite.run_folder(cell) / "starts"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(count), node, int(pid)) for count, node, pid in (line.split() for line in lines)]
