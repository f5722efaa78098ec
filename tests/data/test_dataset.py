"""The base of datasets: where they lie, what they refuse, and what tells one state from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.data.dataset import Dataset, default_root, divide
from msbench.data.layouts.folder import Folder
from msbench.data.layouts.musdb18hq import MUSDB18HQ
from msbench.data.track import Track
from msbench.data.upkeep.prepare import plan
from msbench.data.upkeep.verify import verify
from tests.data.songs import RATE, noise, write, write_musdb18hq, write_song


def test_default_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MSBENCH_DATA", raising=False)
    assert default_root("demo") == Path("data/demo")
    monkeypatch.setenv("MSBENCH_DATA", str(tmp_path))
    assert default_root("demo") == tmp_path / "demo"
    write_musdb18hq(tmp_path / "musdb18hq")
    assert MUSDB18HQ().root == tmp_path / "musdb18hq"


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no dataset 'musdb18hq' at .*nowhere: download it from https://.* root"
    ):
        MUSDB18HQ(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no dataset 'folder' at .*nowhere: give its folder as root"):
        Folder(tmp_path / "nowhere")


def test_unknown_split(tmp_path: Path) -> None:
    data = MUSDB18HQ(write_musdb18hq(tmp_path / "hq", valid=0, train=0))
    with pytest.raises(ValueError, match=r"dataset 'musdb18hq' at .* has no split 'dev': it has test"):
        data.tracks("dev")


def test_two_tracks_of_one_name(tmp_path: Path) -> None:
    class Twice(Dataset):
        name = "twice"
        targets = ("vocals",)
        splits = ("train",)

        def find_tracks(self, split: str) -> list[Track]:
            return [Track("Song", split, {"vocals": tmp_path / "a.wav"}) for _ in range(2)]

    sentence = "has two tracks 'Song' in train: rename one"
    with pytest.raises(ValueError, match=sentence):
        Twice(tmp_path).tracks("train")
    with pytest.raises(ValueError, match=sentence):
        plan(Twice(tmp_path), tmp_path / "out")
    assert any(sentence in error for error in verify(Twice(tmp_path)).errors)


def test_broken_file_is_found_when_tracks_are_asked_for(tmp_path: Path) -> None:
    data = MUSDB18HQ(write_musdb18hq(tmp_path / "hq"))
    write(data.root / "train" / "Song 1" / "bass.wav", noise(0, frames=77))
    with pytest.raises(ValueError, match=r"bass.wav has 77 samples, vocals.wav 8100"):
        data.tracks("train")
    assert len(data.tracks("test")) == 1


def test_fingerprint_follows_the_audio_and_not_the_place(tmp_path: Path) -> None:
    first = MUSDB18HQ(write_musdb18hq(tmp_path / "a"))
    second = MUSDB18HQ(write_musdb18hq(tmp_path / "b"))
    print_of_first = first.fingerprint("train")
    assert print_of_first == second.fingerprint("train")
    assert print_of_first != first.fingerprint("test")
    samples = noise(1, frames=RATE)
    samples[RATE // 2] += 1
    write(second.root / "train" / "Song 0" / "drums.wav", samples)
    assert print_of_first != MUSDB18HQ(second.root).fingerprint("train")
    (first.root / "train" / "Song 0").rename(first.root / "train" / "Song 00")
    assert print_of_first != MUSDB18HQ(first.root).fingerprint("train")


def test_many_tracks_open_fast(tmp_path: Path) -> None:
    song = write_song(tmp_path / "one", 0, frames=50)
    for i in range(300):
        (tmp_path / "hq" / "test").mkdir(parents=True, exist_ok=True)
        (tmp_path / "hq" / "test" / f"{i}").symlink_to(song, target_is_directory=True)
    assert len(MUSDB18HQ(tmp_path / "hq").tracks("test")) == 300


def test_divide_is_fixed_and_keeps_its_shares() -> None:
    shares = {"train": 0.7, "valid": 0.1, "test": 0.2}
    found = [divide(f"song {i}", shares) for i in range(2000)]
    assert [divide(name, shares) for name in ("10161", "45305", "21025", "é")] == ["train", "valid", "test", "train"]
    for split, share in shares.items():
        assert abs(found.count(split) / 2000 - share) < 0.03
