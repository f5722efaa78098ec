"""A publisher, a cache of its own, and weights of the tiny model for each test that wants them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import msbench
from tests.tiny import write_model, write_songs
from tests.weights.publisher import Publisher, publishing, register

SOURCE = "from msbench import own_checkpoint as convert\n"
TARGETS = ["voice", "band"]


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MSBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def theirs(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """Two checkpoints of the tiny model, and weights of one, of both, and of one that was trained on the test songs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    for name in ("a", "b"):
        torch.manual_seed(ord(name))
        msbench.save(msbench.load("tiny"), tmp_path / f"{name}.ckpt")
        publisher.files[f"{name}.ckpt"] = (tmp_path / f"{name}.ckpt").read_bytes()
    about = {"model": "tiny", "targets": TARGETS, "sample_rate": 8000}
    files = [publisher.file(f"{name}.ckpt") for name in ("a", "b")]
    mix = [[1, 1], [1, 1]]
    whole = {"one": {**about, "files": files[:1], "trained_on": {"datasets": {"folder": ["train"]}}}}
    whole["both"] = {**about, "files": files, "mix": mix, "trained_on": {"private": ["our songs"]}}
    whole["tested"] = {**about, "files": files[1:], "trained_on": {"datasets": {"folder": ["train", "test"]}}}
    whole["tiny"] = {**about, "files": files[:1]}
    register(tmp_path / "site", monkeypatch, whole, SOURCE)
    write_songs(tmp_path / "songs", seconds=1.0)
    return publisher
