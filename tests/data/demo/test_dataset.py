"""The demo set makes itself at first use, once, and refuses what is not it."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from msbench.data.demo.dataset import Demo
from tests.data.songs import write_song


def write_tiny_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Songs of noise, 5 ms long, in place of twelve seconds of music."""
    monkeypatch.setattr("msbench.data.demo.songs.write_song", _tiny_song)


def _tiny_song(root: Path, index: int, *, seed: int = 0) -> Path:
    from msbench.data.demo.songs import SONGS

    split, name = SONGS[index]
    return write_song(root / split / name, index, frames=200, rate=44100)


def test_demo_is_made_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_tiny_demo(monkeypatch)
    data = Demo(tmp_path / "deep" / "demo")
    assert [len(data.tracks(split)) for split in data.splits] == [8, 2, 4]
    assert data.version == "1"
    stamp = (data.root / "demo.json").stat().st_mtime_ns
    assert Demo(data.root).fingerprint("test") == data.fingerprint("test")
    assert (data.root / "demo.json").stat().st_mtime_ns == stamp
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["demo"]


def _open_demo(root: Path) -> None:
    Demo(root).tracks("train")


def test_two_processes_make_the_demo_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_tiny_demo(monkeypatch)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_open_demo, args=(tmp_path / "demo",)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_demo_of_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_tiny_demo(monkeypatch)
    root = Demo(tmp_path / "demo").root
    (root / "demo.json").write_text(json.dumps({"version": 0}))
    with pytest.raises(ValueError, match=r"holds version 0 of the demo set and this msbench makes version 1: remove"):
        Demo(root)


def test_folder_that_is_not_the_demo(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"is not the demo set, its demo.json is missing or broken: remove the folder"):
        Demo(tmp_path)
