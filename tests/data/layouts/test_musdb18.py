"""MUSDB18: stem.mp4 files, decoded once and equal to what musdb reads."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.cli.app import main
from msbench.data.layouts.musdb18 import MUSDB18
from msbench.data.opening import open_dataset
from msbench.data.upkeep.prepare import plan
from tests.data.layouts.real import real
from tests.data.songs import STEMS, write
from tests.requirements import require

DECODED_STREAMS = ("mixture", "drums", "bass", "other", "vocals")


@pytest.fixture
def stem_mp4(tmp_path: Path) -> Path:
    """Half a second of tones in the five streams of a real stem file."""
    require("ffmpeg")
    time = np.arange(22050) / 44100
    stems = {s: np.sin(2 * np.pi * 330 * (i + 1) * time) / 8 for i, s in enumerate(DECODED_STREAMS[1:])}
    waves = {"mixture": np.sum(list(stems.values()), axis=0), **stems}
    inputs, maps = [], []
    for i, (name, wave) in enumerate(waves.items()):
        path = write(tmp_path / "waves" / f"{name}.wav", np.stack([wave, wave / 2], axis=1), 44100)
        inputs += ["-i", str(path)]
        maps += ["-map", str(i)]
    path = tmp_path / "musdb18" / "train" / "Anna - One.stem.mp4"
    path.parent.mkdir(parents=True)
    command = ["ffmpeg", "-v", "error", *inputs, *maps, "-c:a", "aac", "-b:a", "256k", str(path)]
    subprocess.run(command, check=True)
    return path


def test_musdb18_is_decoded_once(stem_mp4: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    root = stem_mp4.parents[1]
    shutil.copy(stem_mp4, stem_mp4.with_name("Leaf - Summerghost.stem.mp4"))
    data = MUSDB18(root, progress=lambda done, total: told.append((done, total)))
    (track,) = data.tracks("train")
    assert told == [(1, 1)]
    assert [track.name for track in data.tracks("valid")] == ["Leaf - Summerghost"]
    assert (track.name, track.sample_rate, track.channels) == ("Anna - One", 44100, 2)
    assert data.targets == track.targets == (*STEMS, "accompaniment")
    assert data.stems == STEMS
    for stem in DECODED_STREAMS:
        wave = soundfile.read(tmp_path / "waves" / f"{stem}.wav", dtype="float32")[0].T
        decoded = track.read(stem, 0, wave.shape[-1])
        ratio = 10 * np.log10(np.sum(wave**2) / np.sum((decoded - wave) ** 2))
        assert ratio > 15, f"{stem}: {ratio:.1f} dB"  # the right stream, at the right place
    cache = root.with_name("musdb18-wav")
    assert sorted(path.parent.relative_to(cache).as_posix() for path in cache.rglob("mixture.wav")) == [
        "train/Anna - One",
        "valid/Leaf - Summerghost",
    ]
    stamps = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    MUSDB18(root, progress=lambda done, total: pytest.fail("decoded again")).tracks("train")
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")} == stamps


def test_musdb18_equals_what_musdb_reads(stem_mp4: Path, tmp_path: Path) -> None:
    musdb = pytest.importorskip("musdb")
    (track,) = MUSDB18(stem_mp4.parents[1], cache=tmp_path / "elsewhere").tracks("train")
    (theirs,) = musdb.DB(root=str(stem_mp4.parents[1]), subsets="train", split="train")
    np.testing.assert_array_equal(track.read("mixture"), theirs.audio.T.astype(np.float32))
    for target in track.targets:
        np.testing.assert_allclose(track.read(target), theirs.targets[target].audio.T, atol=1e-7)
    assert (tmp_path / "elsewhere" / "train" / "Anna - One" / "mixture.wav").exists()


def test_a_real_track_of_musdb18(tmp_path: Path) -> None:
    musdb = pytest.importorskip("musdb")
    root = real("musdb18")
    require("ffmpeg")
    (track,) = MUSDB18(root, cache=tmp_path / "wav").tracks("train")
    (theirs,) = musdb.DB(root=str(root), subsets="train", split="train")
    assert track.name == theirs.name == "Music Delta - 80s Rock"
    for target in track.targets:
        np.testing.assert_allclose(track.read(target), theirs.targets[target].audio.T, atol=1e-7)


def test_musdb18_is_prepared_verified_and_described(
    stem_mp4: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(stem_mp4.parents[1])]
    assert main(["data", "verify", "musdb18", *root]) == 0
    said = capsys.readouterr().out
    assert "is whole: 1 in train, 0 in valid" in said
    assert "do not add up" not in said
    assert not (tmp_path / "musdb18-wav").exists()  # verified as it was published
    output = tmp_path / "elsewhere"
    assert plan(MUSDB18(stem_mp4.parents[1]), output).bytes_needed == pytest.approx(5 * 4 * 22050, rel=0.1)
    assert main(["data", "prepare", "musdb18", *root, "-o", str(output), "--sample-rate", "22050"]) == 0
    capsys.readouterr()
    prepared, source = open_dataset("musdb18", output), MUSDB18(stem_mp4.parents[1])
    assert prepared.tracks("train")[0].sample_rate == 22050
    assert prepared.targets == source.targets
    assert prepared.fingerprint("train") != source.fingerprint("train")
    assert main(["data", "card", "musdb18", "--root", str(output), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["formats"] == {"wav": 5}
    decoded = open_dataset("musdb18", source.cache if source.tracks("train") else None)
    assert decoded.fingerprint("train") == source.fingerprint("train")
    content = stem_mp4.read_bytes()
    stem_mp4.write_bytes(content[: len(content) // 2])
    assert main(["data", "verify", "musdb18", *root]) == 1
    assert "Anna - One.stem.mp4 is corrupt, ffmpeg cannot decode it: download it again" in capsys.readouterr().err


def test_musdb18_decodes_anew_what_was_downloaded_anew(stem_mp4: Path) -> None:
    data = MUSDB18(stem_mp4.parents[1])
    data.tracks("train")
    decoded = data.cache / "train" / "Anna - One"
    state = json.loads((decoded / "prepared.json").read_text())
    (decoded / "prepared.json").write_text(json.dumps({**state, "source": {"stems": 5}}))
    (decoded / "bass.wav").write_bytes(b"old")
    before = data.fingerprint("train")
    again = MUSDB18(data.root)
    assert again.tracks("train")[0].frames > 22000
    assert again.fingerprint("train") == before


def test_musdb18_corrupt(stem_mp4: Path) -> None:
    content = stem_mp4.read_bytes()
    stem_mp4.write_bytes(content[: len(content) // 2])
    data = MUSDB18(stem_mp4.parents[1])
    with pytest.raises(ValueError, match=r"Anna - One.stem.mp4 is corrupt, ffmpeg cannot decode it: download it again"):
        data.tracks("train")
    assert not list(data.cache.rglob("*.wav"))
    assert not list(data.cache.rglob("*.part"))


def test_musdb18_with_too_few_streams(stem_mp4: Path) -> None:
    two = stem_mp4.with_name("Two.stem.mp4")
    command = ["ffmpeg", "-v", "error", "-i", str(stem_mp4), "-map", "0:0", "-map", "0:1", "-c", "copy", str(two)]
    subprocess.run(command, check=True)
    with pytest.raises(ValueError, match=r"Two.stem.mp4 has 2 audio streams and a stem file of MUSDB18 has 5"):
        MUSDB18(stem_mp4.parents[1]).tracks("train")


def test_musdb18_cannot_write(stem_mp4: Path, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where the cache would go")
    with pytest.raises(OSError, match=r"cannot write the prepared Anna - One into .*: free some space, or name"):
        MUSDB18(stem_mp4.parents[1], cache=tmp_path / "full").tracks("train")


def test_musdb18_fills_the_disk(stem_mp4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("msbench.audio.writing._PartFile.write", full)
    data = MUSDB18(stem_mp4.parents[1])
    with pytest.raises(OSError, match=r"cannot write the prepared .*No space left.*: free some space"):
        data.tracks("train")
    assert not list(data.cache.rglob("*"))


def test_musdb18_without_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "musdb18" / "train").mkdir(parents=True)
    (tmp_path / "musdb18" / "train" / "A - B.stem.mp4").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    data = MUSDB18(tmp_path / "musdb18")
    with pytest.raises(FileNotFoundError, match=r"there is no ffmpeg on the PATH: install it \(apt install ffmpeg\)"):
        data.tracks("train")
