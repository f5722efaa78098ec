"""What planning and watching a suite of 10,000 cells costs: seconds, memory, sbatch calls.

Run on the private cluster, whose MaxArraySize is set to SLURM's default of 1001:

    python benchmarks/planning.py [--sweep]

--sweep times the plan of a sweep of 10,000 cells alone, which needs no cluster.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from msbench_slurm.private_cluster import private_cluster

from msbench.cluster.journal import SbatchJournal
from msbench.cluster.plan import make_plan
from msbench.cluster.profile import read_profile
from msbench.cluster.status import statuses_of
from msbench.cluster.status_table import counts
from msbench.cluster.submit import submit
from msbench.runs.state import write_state
from msbench.runs.suite import Suite, read_suite

MODELS, SEEDS = 100, 100


def write_suite(folder: Path) -> None:
    rows = [
        {"recipe": "unet_small", "label": f"unet-{number}", "resources": {"gpus": 1 + number % 2}}
        for number in range(MODELS)
    ]
    (folder / "suite.yaml").write_text(yaml.safe_dump({"datasets": ["demo"], "seeds": [*range(SEEDS)], "models": rows}))
    small = {"gpus": 0, "cpus": 1, "memory_gb": 1, "hours": 1}
    content: dict[str, object] = {
        "gpu_flag": "gres",
        "evaluate": small,
        "aggregate": small,
        "train": small,
        "options": ["--begin=now+1day"],
    }
    (folder / "profile.yaml").write_text(yaml.safe_dump(content))


def write_sweep(folder: Path) -> None:
    """One entry of 10,000 cells: five factors, one of them with names, and one seed."""
    sweep = {
        "separator.depth": [2, 3, 4, 5, 6],
        "separator.filters": [8, 16, 24, 32],
        "separator.dropout": [round(number / 200, 3) for number in range(125)],
        "data.stretch": {"none": None, "some": [0.7, 1.3]},
        "inference.overlap": [0.25, 0.5],
    }
    content = {"datasets": ["demo"], "models": [{"recipe": "unet_small", "sweep": sweep}]}
    (folder / "suite.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def time_sweep() -> None:
    with tempfile.TemporaryDirectory() as name:
        write_sweep(Path(name))
        for what, code in {
            "plan": "from msbench.runs.suite import read_suite; from msbench.cluster.plan import make_plan;"
            f"print(len(make_plan(read_suite({name!r}), longest=1001).cells))",
            "names": f"from msbench.runs.naming import name_cells; print(len(name_cells({name!r}).cells))",
        }.items():
            seconds, megabytes = timed(code)
            print(f"{what} of a sweep of 10,000: {seconds:.2f} s, {megabytes:.0f} MB, the start of Python among them")


def timed(code: str) -> tuple[float, float]:
    """Seconds and MB of a fresh Python process."""
    started = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return time.perf_counter() - started, max(before, after) / 1024


def begin(suite: Suite) -> None:
    """Let half of the cells look as if they were in training."""
    for cell in suite.cells[::2]:
        suite.run_folder(cell).mkdir(parents=True)
        write_state(suite.run_folder(cell), stage="training", done=0.5, metrics={"val_loss": 0.1})


def main() -> None:
    with tempfile.TemporaryDirectory() as name, private_cluster(max_array=1001, max_jobs=30000) as cluster:
        folder = Path(name)
        os.environ.update(cluster.variables)
        write_suite(folder)
        imports = "from msbench.runs.suite import read_suite; from msbench.cluster.plan import make_plan;"
        seconds, megabytes = timed(f"{imports} make_plan(read_suite({name!r}), longest=1001)")
        print(f"plan: {seconds:.2f} s, {megabytes:.0f} MB, the start of Python among them")
        suite, profile = read_suite(folder), read_profile(folder / "profile.yaml")
        print(f"  {len(suite.cells)} cells, {len(make_plan(suite, longest=1001).arrays)} arrays")
        started = time.perf_counter()
        submit(suite, profile, say=lambda _: None)
        print(f"submit: {time.perf_counter() - started:.2f} s, {len(SbatchJournal.of(suite).calls)} sbatch calls")
        begin(suite)
        code = f"from msbench.cli import main; main(['status', {name!r}])"
        seconds, megabytes = timed(code)
        print(f"msbench status: {seconds:.2f} s, {megabytes:.0f} MB")
        print(f"  {counts(statuses_of(suite, SbatchJournal.of(suite)))}")


if __name__ == "__main__":
    time_sweep() if "--sweep" in sys.argv[1:] else main()
