"""Training on two ranks, real processes that talk gloo, with songs without stems among the data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.tiny import write_model, write_songs, write_unlabelled

pytestmark = pytest.mark.slow

# As `msbench fit`; rank 0, once told so, is sent a signal in its third step.
SCRIPT = """
import os, signal, sys
from msbench.cli import main
from msbench.training.module import SeparationModule

step, calls = SeparationModule.training_step, []

def counted(self, *args):
    calls.append(0)
    if len(calls) == 3 and os.environ.get("ACT") and self.global_rank == 0:
        os.kill(os.getpid(), signal.SIGUSR2)
    if len(calls) == 3 and os.environ.get("FAIL") and self.global_rank == 1:
        raise ValueError("the second rank fails")
    return step(self, *args)

SeparationModule.training_step = counted
sys.exit(main(["fit", *sys.argv[1:]]))
"""


def train(folder: Path, output: str, **environment: str) -> subprocess.CompletedProcess[str]:
    flags = {
        "name": "tiny",
        "data.dataset": "folder",
        "data.root": "songs",
        "data.chunk_seconds": "0.25",
        "data.chunks_per_epoch": "16",
        "data.batch_size": "2",
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "trainer.accelerator": "cpu",
        "trainer.devices": "2",
        "data.unlabelled": "more",
        "data.unlabelled_share": "0.3",
        "trainer.max_epochs": "2",
        "output": output,
    }
    arguments = [part for key, value in flags.items() for part in (f"--{key}", value)]
    return subprocess.run(
        [sys.executable, "script.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MSBENCH_PLUGINS": str(folder / "plugins"), **environment},
    )


def test_two_ranks_stop_together_and_end_as_undisturbed(tmp_path: Path) -> None:
    write_model(tmp_path / "plugins")
    write_songs(tmp_path / "songs")
    write_unlabelled(tmp_path / "more")
    (tmp_path / "script.py").write_text(SCRIPT)
    whole = train(tmp_path, "whole")
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.count("trained:") == 1
    told = train(tmp_path, "run", ACT="1")
    assert told.returncode == 85, told.stderr
    assert "saved run/last.ckpt in epoch 0, step 3" in told.stderr
    assert train(tmp_path, "run").returncode == 0
    a, b = (torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("whole", "run"))
    for key, value in a["state_dict"].items():
        assert torch.equal(value, b["state_dict"][key]), key
    assert a["global_step"] == b["global_step"] == 8  # 16 chunks, 2 a batch, on 2 ranks: 4 steps an epoch
    first, second = a["rng"]
    assert not torch.equal(first["torch"], second["torch"])  # the ranks draw each their own
    for rank in (0, 1):
        assert torch.equal(a["rng"][rank]["torch"], b["rng"][rank]["torch"])


def test_a_rank_that_fails_takes_the_others_down(tmp_path: Path) -> None:
    write_model(tmp_path / "plugins")
    write_songs(tmp_path / "songs")
    write_unlabelled(tmp_path / "more")
    (tmp_path / "script.py").write_text(SCRIPT)
    ended = train(tmp_path, "run", FAIL="1")
    assert ended.returncode != 0
    assert "the second rank fails" in ended.stderr
