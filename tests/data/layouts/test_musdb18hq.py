"""MUSDB18-HQ: its splits and stems, and what is said of files that are not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench.data.layouts.musdb18 import MUSDB18
from msbench.data.layouts.musdb18hq import MUSDB18HQ, validation_tracks
from tests.data.songs import STEMS, noise, write_musdb18hq, write_song
from tests.requirements import require


def test_musdb18hq_with_a_valid_folder(tmp_path: Path) -> None:
    data = MUSDB18HQ(write_musdb18hq(tmp_path / "hq"))
    (data.root / "train" / ".cache").mkdir()
    (data.root / "train" / "readme.txt").write_text("no track")
    assert data.splits == ("train", "valid", "test")
    assert data.stems == STEMS
    assert data.targets == (*STEMS, "accompaniment")
    assert {split: [track.name for track in data.tracks(split)] for split in data.splits} == {
        "train": ["Song 0", "Song 1", "Song 2"],
        "valid": ["Song 3"],
        "test": ["Song 4"],
    }
    track = data.tracks("train")[1]
    assert (track.name, track.split, track.frames) == ("Song 1", "train", 8100)
    np.testing.assert_array_equal(track.read("drums"), noise(11, 8100).T / np.float32(32768))
    np.testing.assert_array_equal(track.read("mixture"), sum(track.read(stem) for stem in STEMS))


def test_musdb18hq_validates_on_the_tracks_that_musdb_lists(tmp_path: Path) -> None:
    assert len(validation_tracks()) == 14
    for i, name in enumerate(["Aimee Norwich - Child", "Leaf - Summerghost", "Meaxic - Take A Step"]):
        write_song(tmp_path / "hq" / "train" / name, i, frames=50)
    data = MUSDB18HQ(tmp_path / "hq")
    assert data.splits == ("train", "valid")
    assert [track.name for track in data.tracks("train")] == ["Aimee Norwich - Child"]
    assert [track.name for track in data.tracks("valid")] == ["Leaf - Summerghost", "Meaxic - Take A Step"]


def test_musdb18hq_equals_what_musdb_reads(tmp_path: Path) -> None:
    require("ffmpeg")
    musdb = pytest.importorskip("musdb")
    root = tmp_path / "hq"
    for i, (folder, name) in enumerate((("train", "A - B"), ("train", "Leaf - Summerghost"), ("test", "C - D"))):
        write_song(root / folder / name, i, frames=500)
    data = MUSDB18HQ(root)
    theirs = {
        **{split: musdb.DB(root=str(root), subsets="train", split=split, is_wav=True) for split in ("train", "valid")},
        "test": musdb.DB(root=str(root), subsets="test", is_wav=True),
    }
    for split, tracks in theirs.items():
        for ours, track in zip(data.tracks(split), tracks, strict=True):
            assert ours.name == track.name
            for target in ours.targets:
                np.testing.assert_allclose(ours.read(target), track.targets[target].audio.T, atol=1e-6)
            np.testing.assert_allclose(ours.read("mixture"), track.audio.T, atol=1e-7)


def test_musdb_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"musdb is not installed, .*: pip install musdb"):
        validation_tracks.__wrapped__()


def test_musdb18hq_lacks_a_stem(tmp_path: Path) -> None:
    data = MUSDB18HQ(write_musdb18hq(tmp_path / "hq"))
    (data.root / "test" / "Song 4" / "mixture.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"track 'Song 4' of split 'test' lacks its mixture"):
        data.tracks("test")


def test_the_other_musdb18(tmp_path: Path) -> None:
    hq = write_musdb18hq(tmp_path / "hq")
    with pytest.raises(ValueError, match=r"holds folders of WAV, .*: it is the dataset 'musdb18hq'"):
        MUSDB18(hq).tracks("train")
    (tmp_path / "stems" / "train").mkdir(parents=True)
    (tmp_path / "stems" / "train" / "A - B.stem.mp4").touch()
    with pytest.raises(ValueError, match=r"holds \*.stem.mp4 files.*: it is the dataset 'musdb18'"):
        MUSDB18HQ(tmp_path / "stems").tracks("train")
