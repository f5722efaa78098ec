"""The transcript of slurm/README.md, made by a real suite on a private cluster.

    python -m tests.cluster.transcript

writes it into the README; `test_transcript.py` holds that a new run gives the same commands and forms of output.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from msbench_slurm.private_cluster import PrivateCluster, private_cluster

from msbench.runs.state import attempts, read_state
from msbench.runs.suite import read_suite
from tests.cluster.jobs import statuses, wait_for_end, wait_until
from tests.tiny import MODEL, write_songs

README = Path(__file__).parents[2] / "slurm" / "README.md"
BLOCK = re.compile(r"(?<=## A transcript\n).*?```\n.*?```\n", re.DOTALL)
INTRODUCTION = """
From that cluster, by `python -m tests.cluster.transcript`: a model that trains well, one whose loss becomes NaN, and a
floor. An urgent job preempts the training. (Paths are shortened, and so are the two minutes before a requeued job
starts.)
"""
STEP_SECONDS = 0.1
SUITE = """\
datasets: [folder]
roots: {folder: songs}
models:
  - {recipe: tiny.yaml, label: calm}
  - {recipe: tiny.yaml, label: fragile, set: {separator.explode: true}}
  - mixture_share
"""
RECIPE = """\
name: tiny
data: {chunk_seconds: 0.25, chunks_per_epoch: 64, batch_size: 2}
trainer: {max_epochs: 6, accelerator: cpu}
"""
PROFILE = {
    "partition": "normal",
    "gpu_flag": "none",
    "train": {"gpus": 0, "cpus": 2, "memory_gb": 2, "hours": 1},
    "evaluate": {"gpus": 0, "cpus": 1, "memory_gb": 2, "hours": 1},
    "aggregate": {"gpus": 0, "cpus": 1, "memory_gb": 2, "hours": 1},
    "python": sys.executable,
    "setup": [
        "export MASTER_ADDR=127.0.0.1 GLOO_SOCKET_IFNAME=lo",
        "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1",
    ],
}


class Session:
    """A shell in the board's folder, whose commands and answers are kept."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.blocks: list[str] = []

    def run(self, command: str) -> None:
        words = shlex.split(command)
        own = words[0] == "msbench"
        words = [sys.executable, "-m", "msbench.cli", *words[1:]] if own else ["bash", "-c", command]
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        text = (done.stdout + done.stderr).replace(str(self.folder), "~/study").replace(sys.prefix, "~/msbench/.venv")
        lines = [line.rstrip() for line in text.rstrip().splitlines()]
        self.blocks.append("\n".join([f"$ {command}", *lines]))


def record(cluster: PrivateCluster, folder: Path) -> str:
    """Run the suite of the transcript in an empty folder; returns what a user types and sees."""
    write_songs(folder / "songs", seconds=1.0)
    (folder / "plugins").mkdir()
    slow = MODEL.replace("import torch\n", "import time\nimport torch\n", 1).replace(
        "            self.calls += 1\n", f"            self.calls += 1\n            time.sleep({STEP_SECONDS})\n"
    )
    (folder / "plugins" / "tiny.py").write_text(slow)
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "mine.yaml").write_text(yaml.safe_dump(PROFILE))
    suite = read_suite(folder)
    calm = suite.run_folder(suite.cells[0])
    session = Session(folder, dict(os.environ))
    for command in (
        "sinfo",
        "msbench doctor --cluster mine.yaml",
        "msbench submit suite.yaml --cluster mine.yaml --dry-run",
        "msbench submit suite.yaml --cluster mine.yaml",
        "squeue --format '%.10i %.28j %.3t %.9N %r'",
    ):
        session.run(command)
    wait_until(lambda: read_state(calm).get("stage") == "training" and read_state(calm).get("step", 0), "a training")
    session.run("msbench status suite.yaml")
    node = statuses(suite)["calm-0"].node
    urgent = f"sbatch --partition=urgent --nodelist={node} --cpus-per-task=4 --output=/dev/null --wrap='sleep 2'"
    session.run(urgent)
    wait_until(lambda: attempts(calm)[0]["exit_code"] is not None, "the end that the urgent job asks for")
    wait_until(lambda: statuses(suite)["calm-0"].restarts == 1, "the requeue")
    session.run("msbench status suite.yaml")
    wait_until(lambda: cluster.hurry() or len(attempts(calm)) > 1, "the restart")
    wait_for_end(suite, 300)
    wait_until((folder / "board.md").exists, "the board")
    for command in (
        "msbench status suite.yaml",
        "msbench retry --failed suite.yaml",
        "cat board.md",
        "grep -h -e begin -e 'end ' jobs/0001/logs/train-1_*.log",
    ):
        session.run(command)
    return "\n\n".join(session.blocks)


def commands(transcript: str) -> list[str]:
    """What a user types, without the numbers."""
    return [form(line) for line in transcript.splitlines() if line.startswith("$ ")]


def forms(transcript: str) -> dict[str, list[str]]:
    """{command: the lines of its last answer} without numbers, names of nodes and widths of columns.

    What the queue and the states of a suite are in between depends on moments, and is left out.
    """
    answers = {}
    for block in transcript.split("\n\n$ "):
        command, _, answer = block.removeprefix("$ ").partition("\n")
        if not command.startswith("squeue"):
            answers[form(command)] = sorted({form(line) for line in answer.splitlines()})
    return answers


def form(line: str) -> str:
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+", "TIME", line)
    line = re.sub(r"-[0-9a-f]{8}\b", "-HASH", line)
    line = re.sub(r"\bn(\d|\[1-2\])(?!\w)", "NODE", line)
    line = re.sub(r"\b(idle|alloc|mix)\b", "STATE", line)
    line = re.sub(r"[-+]?\d+(\.\d+)*", "0", line)
    return re.sub(r"\s+", " ", line).strip()


def main() -> None:
    with tempfile.TemporaryDirectory() as name, private_cluster() as cluster:
        folder = Path(name) / "study"
        folder.mkdir()
        os.environ.update(cluster.variables, PATH=cluster.path, MSBENCH_PLUGINS=str(folder / "plugins"))
        text = record(cluster, folder)
    before = README.read_text("utf-8")
    assert BLOCK.search(before), "the README has a section `## A transcript` with one block"
    README.write_text(BLOCK.sub(lambda _: f"{INTRODUCTION}\n```\n{text}\n```\n", before), "utf-8")


if __name__ == "__main__":
    main()
