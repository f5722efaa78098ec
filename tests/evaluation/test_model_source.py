"""Estimates of a model, and its checkpoint, which is read once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import torch

from msbench import load
from msbench.data.dataset import Dataset
from msbench.model.checkpoints import KEY
from msbench.records import tier_of
from msbench.system.files import sha256_of
from tests.tiny import write_model

# Each process that starts with this on its path notes its calls.
COUNTING = """
import hashlib, os
import torch

def noted(function, name):
    def call(*arguments, **options):
        # Not a tensor on its way between processes (BytesIO), nor uv.lock.
        if str(getattr(arguments[0], "name", arguments[0])).endswith(".ckpt"):
            with open(os.environ["CALLS"], "a") as calls:
                calls.write(f"{os.getpid()} {name}\\n")
        return function(*arguments, **options)
    return call

torch.load = noted(torch.load, "load")
hashlib.file_digest = noted(hashlib.file_digest, "digest")
"""
SCRIPT = """
import json, sys
import msbench
if __name__ == "__main__":
    record = msbench.evaluate(sys.argv[1], "folder", root=sys.argv[2], jobs=2, metrics=["snr"])
    print(json.dumps(record))
"""


def write_checkpoint(path: Path) -> Path:
    """A checkpoint of the tiny model."""
    torch.manual_seed(0)
    options = {"targets": ["voice", "band"]}
    weights = {f"separator.{name}": tensor for name, tensor in load("tiny", **options).state_dict().items()}
    content = {KEY: {"name": "tiny", "options": options}, "state_dict": weights, "seed": 7, "global_step": 10}
    training = {"datasets": ["folder"], "tracks": 2, "hours": 0.1, "data": "unknown"}
    torch.save({**content, "epoch": 1, "training": training}, path)
    return path


def test_a_checkpoint_is_loaded_and_hashed_once(songs: Dataset, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """By all processes of an evaluation together."""
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    checkpoint = write_checkpoint(tmp_path / "best.ckpt")
    (tmp_path / "sitecustomize.py").write_text(COUNTING)
    (tmp_path / "script.py").write_text(SCRIPT)
    calls = tmp_path / "calls"
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), str(checkpoint), str(songs.root)],
        env={**os.environ, "PYTHONPATH": path, "CALLS": str(calls)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Counter(line.split()[1] for line in calls.read_text().splitlines()) == {"load": 1, "digest": 1}
    record = json.loads(done.stdout)
    expected = {"sha256": sha256_of(checkpoint), "step": 10, "epoch": 1, "selection": "best", "ema": False}
    assert record["checkpoint"] == expected
    assert record["seed"] == 7
    assert record["training"] == {"datasets": ["folder"], "tracks": 2, "hours": 0.1, "data": "standard"}
    assert record["model"]["parameters"] > 0
    assert set(record["scores"]) == {"song 0", "song 1"}
    assert tier_of(record) in ("measured", "unverified")
