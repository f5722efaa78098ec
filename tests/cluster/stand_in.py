"""A process that keeps the contract of msbench.cluster.cell in a moment, for tests of what SLURM does around it.

It counts to a number in steps of 0.1 s, one file a step, saves when told to, and goes on from there. What it does is
in its cell's settings, which are flags of `msbench fit`: how many steps, and the sentence that it fails with.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from msbench.runs.state import mark_trained, write_state
from msbench.runs.suite import Cell, read_suite
from msbench.system.exit_codes import SAVED
from msbench.system.files import write_json

STEPS, FAIL = "trainer.max_steps", "wandb_project"


def record(cell: Cell) -> dict[str, Any]:
    """A record that a board can show."""
    return {
        "schema_version": 1,
        "model": {"name": cell.model, "label": cell.label, "role": "system"},
        "dataset": {"name": cell.dataset, "split": "test", "fingerprint": "f"},
        "metric": {"id": "stand-in;targets=voice"},
        "seed": cell.seed,
        "scores": {"song": {"voice": {"SDR": 1.0, "SIR": 2.0, "SAR": 3.0, "ISR": 4.0}}},
    }


def main() -> int:
    if "msbench.cluster.cell" not in sys.argv[:4]:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    parser = argparse.ArgumentParser()
    parser.add_argument("-P", action="store_true")
    parser.add_argument("-m", dest="module")
    parser.add_argument("suite", type=Path)
    parser.add_argument("cell")
    parser.add_argument("--stage")
    parser.add_argument("--devices", type=int)
    parser.add_argument("--num-nodes", type=int)
    options = parser.parse_args()
    told: list[int] = []
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, lambda number, _: told.append(number))
    suite = read_suite(options.suite)
    cell = next(cell for cell in suite.cells if cell.name == options.cell)
    folder = suite.run_folder(cell)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{options.stage} pid {os.getpid()} rank {os.environ['SLURM_PROCID']} of {os.environ['SLURM_NTASKS']}")
    if options.stage == "evaluate":
        write_json(suite.record_path(cell), record(cell))
        return 0
    if FAIL in cell.overrides:
        write_state(folder, stage="failed", error=cell.overrides[FAIL], kind="ValueError")
        return 1
    counter = folder / "counter"
    count = int(counter.read_text()) if counter.exists() else 0
    (folder / "starts").open("a").write(f"{count} {os.environ['SLURMD_NODENAME']} {os.getpid()}\n")
    while count < cell.overrides.get(STEPS, 1):
        write_state(folder, stage="training", done=0.0, metrics={})
        time.sleep(0.1)
        count += 1
        if told:
            counter.write_text(str(count))
            return SAVED
    write_state(folder, stage="trained", done=1.0, metrics={})
    mark_trained(folder)
    (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
