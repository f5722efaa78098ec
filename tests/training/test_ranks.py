"""Training on two ranks, real processes that talk gloo, with songs without stems among the data.

Validation is theirs together too: each chunk and each song counts once.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import soundfile
import torch

import msbench
from msbench.data.loading.chunks import ChunkFormat, ExhaustiveChunks
from msbench.data.opening import open_dataset
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
        "validate_songs_every": "1",
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


def test_two_ranks_stop_together_and_end_as_undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "plugins")
    write_songs(tmp_path / "songs")
    write_unlabelled(tmp_path / "more")
    for number, samples in enumerate((12_000, 10_000)):  # 6 and 5 chunks more than the 8 of the first: 19
        shutil.copytree(tmp_path / "songs" / "test" / "song 1", tmp_path / "songs" / "valid" / f"more {number}")
        for path in (tmp_path / "songs" / "valid" / f"more {number}").iterdir():
            stem, rate = soundfile.read(path)
            soundfile.write(path, stem[:samples], rate, subtype="FLOAT")
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

    assert_counted_once(tmp_path, monkeypatch)


def assert_counted_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare what the ranks logged of the last weights with what one process gives."""
    monkeypatch.setenv("MSBENCH_PLUGINS", str(folder / "plugins"))
    log = csv.DictReader((folder / "whole" / "logs" / "version_0" / "metrics.csv").open())
    last = [line for line in log if line["val_loss"]][-1]
    songs = str(folder / "songs")
    record = msbench.evaluate(str(folder / "whole" / "last.ckpt"), "folder", root=songs, split="valid")
    values: Any = record["scores"].values()
    for target in ("voice", "band"):
        expected = median(track[target]["SDR"] for track in values)
        assert float(last[f"val_track_sdr_{target}"]) == pytest.approx(expected, abs=2e-5)
    model = msbench.load(folder / "whole" / "last.ckpt").eval()
    tracks = open_dataset("folder", songs).tracks("valid")
    chunks = ExhaustiveChunks(tracks, ChunkFormat(("voice", "band"), 8000, 1, 0.25))
    assert len(chunks) == 19
    mixtures, references = (torch.stack(each) for each in zip(*(chunks[i] for i in range(19)), strict=True))
    with torch.no_grad():
        error = model(mixtures) - references
    assert float(last["val_loss"]) == pytest.approx(error.abs().mean().item(), rel=1e-5)
    sdr = 10 * (references.square().sum((0, 2, 3)) / error.square().sum((0, 2, 3))).log10()
    assert float(last["val_sdr"]) == pytest.approx(sdr.mean().item(), abs=1e-4)


def test_a_rank_that_fails_takes_the_others_down(tmp_path: Path) -> None:
    write_model(tmp_path / "plugins")
    write_songs(tmp_path / "songs")
    write_unlabelled(tmp_path / "more")
    (tmp_path / "script.py").write_text(SCRIPT)
    ended = train(tmp_path, "run", FAIL="1")
    assert ended.returncode != 0
    assert "the second rank fails" in ended.stderr
