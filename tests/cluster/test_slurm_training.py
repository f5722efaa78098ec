"""Real trainings on the private cluster: two nodes of two ranks, a signal in the middle, a failure, and the board."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
import yaml
from msbench_slurm.private_cluster import PrivateCluster

from msbench import records
from msbench.cli.app import main
from msbench.leaderboard.board import Board
from msbench.runs.state import attempts, read_state
from msbench.runs.suite import Cell, read_suite
from tests.cluster.jobs import statuses, wait_for_end, wait_until
from tests.tiny import MODEL, write_songs

STEP_SECONDS = 0.03
SUITE = """
board: trained
datasets: [folder]
roots: {folder: songs}
models:
  - {recipe: tiny.yaml, label: calm}
  - {recipe: tiny.yaml, label: disturbed}
  - {recipe: tiny.yaml, label: ranks, resources: {nodes: 2, gpus: 2}, set: {trainer.max_epochs: 1}}
  - {recipe: tiny.yaml, label: exploding, set: {separator.explode: true}}
  - mixture_share
"""
RECIPE = """
name: tiny
data: {chunk_seconds: 0.25, chunks_per_epoch: 64, batch_size: 2}
trainer: {max_epochs: 6, accelerator: cpu}
"""
PROFILE = {
    "partition": "normal",
    "gpu_flag": "gres",
    "train": {"gpus": 1, "cpus": 1, "memory_gb": 1, "hours": 1},
    "evaluate": {"gpus": 0, "cpus": 1, "memory_gb": 1, "hours": 1},
    "aggregate": {"gpus": 0, "cpus": 1, "memory_gb": 1, "hours": 1},
    "setup": [
        "export MASTER_ADDR=127.0.0.1 GLOO_SOCKET_IFNAME=lo",
        "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1",
    ],
    "python": sys.executable,
}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    content = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=False)
    state: dict[str, torch.Tensor] = content["state_dict"]
    return state


@pytest.mark.slow
def test_a_suite_is_trained_scored_and_put_on_a_board(
    cluster: PrivateCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_songs(tmp_path / "songs", seconds=1.0)
    (tmp_path / "plugins").mkdir()
    slow = MODEL.replace("import torch\n", "import time\nimport torch\n").replace(
        "            self.calls += 1\n", f"            self.calls += 1\n            time.sleep({STEP_SECONDS})\n"
    )
    (tmp_path / "plugins" / "tiny.py").write_text(slow)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "plugins"))
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    (tmp_path / "profile.yaml").write_text(yaml.safe_dump(PROFILE))
    suite = read_suite(tmp_path)
    cells: dict[str, Cell] = {cell.label: cell for cell in suite.cells}
    folders = {label: suite.run_folder(cell) for label, cell in cells.items()}
    assert main(["submit", str(tmp_path), "--cluster", str(tmp_path / "profile.yaml")]) == 0

    def in_the_middle() -> bool:
        state = read_state(folders["disturbed"])
        return state.get("stage") == "training" and 0 < (state.get("done") or 0) < 0.9

    wait_until(in_the_middle, "the middle of a training", 120)
    job, index = statuses(suite)["disturbed-0"].elements[0]
    cluster.run("scancel", "--signal=USR2", f"{job}_{index}")

    def first_is_over() -> bool:
        return bool(attempts(folders["disturbed"])) and attempts(folders["disturbed"])[0]["exit_code"] is not None

    wait_until(first_is_over, "the saving", 60)
    wait_until(lambda: cluster.hurry() or len(attempts(folders["disturbed"])) > 1, "the restart", 60)
    found = wait_for_end(suite, 240)
    assert {name: each.state for name, each in found.items()} == {
        "calm-0": "done",
        "disturbed-0": "done",
        "ranks-0": "done",
        "exploding-0": "failed",
        "mixture_share-None": "done",
    }, {name: each.cause for name, each in found.items()}
    assert found["exploding-0"].kind == "NaN loss"

    trainings = [each for each in attempts(folders["disturbed"]) if each["stage"] == "train"]
    assert [each["exit_code"] for each in trainings] == [85, 0]
    calm, disturbed = weights(folders["calm"]), weights(folders["disturbed"])
    assert calm.keys() == disturbed.keys()
    assert all(torch.equal(calm[key], disturbed[key]) for key in calm)

    assert "MEMBER: 4/4" in Path(found["ranks-0"].logs[0]).read_text()  # of Lightning: four ranks met
    assert len(list(folders["ranks"].glob("best*.ckpt"))) == 1

    wait_until((tmp_path / "board.md").exists, "the board")
    assert set(Board(tmp_path).table()["model"]) == {"calm", "disturbed", "ranks", "mixture_share"}
    assert "NaN loss on n" in (tmp_path / "board.md").read_text()
    assert (
        records.read(suite.record_path(cells["calm"]))["scores"]
        == (records.read(suite.record_path(cells["disturbed"]))["scores"])
    )
    assert os.environ.get("SLURM_JOB_ID") is None
