"""Estimates of a model, and its checkpoint, which is read once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from msbench import load, save
from msbench.data.dataset import Dataset
from msbench.evaluation.model_source import ModelSource, joined_training
from msbench.evaluation.run import evaluate
from msbench.model.checkpoints import KEY
from msbench.records import tier_of, validate
from msbench.records.types import Training
from msbench.separation.inference import Inference
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


def test_the_record_of_an_ensemble_names_its_members(songs: Dataset, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    for name in "ab":
        (tmp_path / "runs" / name).mkdir(parents=True)
    paths = [str(write_checkpoint(tmp_path / "runs" / name / "best.ckpt")) for name in "ab"]
    record = evaluate("ensemble", songs, separator={"members": [*paths, "mixture_share"]}, metrics=())
    assert record["model"]["options"]["members"] == ["a/best.ckpt", "b/best.ckpt", "mixture_share"]  # on any machine
    one = evaluate(paths[0], songs, metrics=())
    members = [{"name": "tiny", "sha256": sha256_of(path)} for path in paths]
    assert record["model"]["members"] == [*members, {"name": "mixture_share", "sha256": None}]
    for cost in ("parameters", "macs_per_second"):
        assert record["model"][cost] == 2 * one["model"][cost] > 0
    assert record["training"] == {"datasets": ["folder"], "tracks": 2, "hours": None, "data": "standard"}
    assert record["checkpoint"] is None


def test_another_file_of_a_member_has_other_results(songs: Dataset, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    path = write_checkpoint(tmp_path / "a.ckpt")
    track, identities = songs.tracks("test")[0], []
    for name in ("tiny", "mixture"):
        save(load(name, targets=["voice", "band"], sample_rate=8000, channels=1), path)
        source = ModelSource(load("ensemble", members=[str(path)]), None, Inference(device="cpu"))
        identities.append(source.identity(track, ["voice"]))
    assert identities[0] != identities[1]


def test_the_place_of_a_member_changes_no_result(songs: Dataset, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    path = write_checkpoint(tmp_path / "a.ckpt")
    (tmp_path / "moved").mkdir()
    copy = shutil.copy(path, tmp_path / "moved" / "a.ckpt")
    found = []
    for place in (path, copy):
        source = ModelSource(load("ensemble", members=[str(place)]), None, Inference(device="cpu"))
        found.append([source.identity(songs.tracks("test")[0], ["voice"]), source.registered["options"]["members"]])
    assert found[0][0] == found[1][0]
    assert found[1][1] == [str(copy)]  # a process that builds it again needs the file


def test_what_members_learned_from_is_joined() -> None:
    of_one: Training = {"data": "unknown", "datasets": ["a"], "tracks": 3, "hours": 1.0}
    of_two: Training = {"data": "unknown", "datasets": ["b", "a"], "tracks": 5, "hours": 2.0}
    nothing: Training = {"data": "standard", "datasets": [], "tracks": 0, "hours": 0.0}
    unknown: Training = {"data": "unknown", "datasets": None, "tracks": None, "hours": None}
    assert joined_training([nothing, nothing]) == nothing
    assert joined_training([of_one, nothing])["datasets"] == ["a"]
    assert joined_training([of_one, of_two]) == {**unknown, "datasets": ["a", "b"]}
    seen: Training = {**unknown, "splits": {"b": ["test"], "a": ["train"]}}
    assert joined_training([of_one, seen]) == seen  # which makes it contaminated


def test_a_model_of_songs_is_given_each_track_whole(songs: Dataset) -> None:
    """So chunks change neither its scores nor, in its record, anything."""
    model = load("oracle_wiener", targets=songs.stems, sample_rate=8000, channels=1)
    short, long = (evaluate(model, songs, chunk_seconds=seconds, metrics=()) for seconds in (0.3, 30))
    assert short["scores"] == long["scores"]
    expected = {"chunk_seconds": None, "overlap": None, "batch_size": 1, "device": "cpu", "dtype": "float32"}
    assert short["inference"] == expected


def test_the_chunks_of_an_ensemble_are_those_of_its_members(songs: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["mixture", "mixture_share"]
    known = {name: load(name, targets=["voice"], sample_rate=8000, channels=1) for name in names}
    known["whole"] = load("repet", sample_rate=8000, channels=1)
    monkeypatch.setattr("msbench_plugins.ensemble.trained", known.__getitem__)
    known["half"] = load("ensemble", members=["mixture"])
    inference = Inference(chunk_seconds=5.0, device="cpu")

    def recorded(*members: str) -> float | None:
        source = ModelSource(load("ensemble", members=[*members]), None, inference)
        return source.origin(songs.tracks("test"), None).inference["chunk_seconds"]

    assert recorded("mixture", "half") == 5.0
    for name in names:
        known[name].chunk_samples = 16_000
    assert recorded("mixture", "mixture_share") == 2.0
    known["mixture"].chunk_samples = None
    assert recorded("half", "mixture_share") == 5.0
    assert recorded("whole") is None


def test_results_of_an_earlier_revision_do_not_count(songs: Dataset) -> None:
    """`mixture_share` is at its second one; the keys of others are as they were before there were revisions."""
    identities = {}
    for name in ("mixture", "mixture_share"):
        source = ModelSource(load(name, targets=songs.stems), None, Inference(device="cpu"))
        identities[name] = source.identity(songs.tracks("test")[0], ["voice"])
    assert [len(identity) for identity in identities.values()] == [3, 4]
    assert identities["mixture_share"][-1] == 2


def test_only_what_is_not_the_default_is_recorded_and_known_by(songs: Dataset) -> None:
    """Results on disk and records from before these options stay what they are."""
    model = load("mixture", targets=songs.stems, sample_rate=8000, channels=1)
    plain = evaluate(model, songs, metrics=())["inference"]
    assert list(plain) == ["chunk_seconds", "overlap", "batch_size", "device", "dtype"]
    chosen: Any = {"window": "hann", "shifts": 2, "tta": ["polarity"], "precision": "bf16", "batch_size": "auto"}
    record = evaluate(model, songs, metrics=(), **chosen)
    added = {"window": "hann", "shifts": 2, "tta": ["polarity"], "dtype": "bf16", "batch_size": "auto"}
    assert record["inference"] == {**plain, **added}
    validate(record, "record.json")
    track = songs.tracks("test")[0]
    identities = [
        json.dumps(ModelSource(model, None, Inference(device="cpu", **{name: value})).identity(track, ["voice"]))
        for name, value in chosen.items()
    ]
    assert len(set(identities)) == len(identities)


def test_a_window_is_nothing_to_a_model_of_songs(songs: Dataset) -> None:
    model = load("oracle_wiener", targets=songs.stems, sample_rate=8000, channels=1)
    record = evaluate(model, songs, window="hann", overlap=0.9, shifts=1, metrics=())
    assert record["inference"]["shifts"] == 1
    assert record["inference"]["overlap"] is None
    assert "window" not in record["inference"]
