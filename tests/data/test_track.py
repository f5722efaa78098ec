"""Tracks: exact reads of the frames asked for, and one sentence for every broken file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.data.song import Header
from msbench.data.track import Channel, Track
from tests.data.songs import RATE, STEMS, noise, write, write_song


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_song(tmp_path / "Song", 1)


def track_of(folder: Path, **options: object) -> Track:
    return Track("Song", "train", {stem: folder / f"{stem}.wav" for stem in STEMS}, **options)  # type: ignore[arg-type]


def expected(folder: Path, stem: str) -> np.ndarray:
    return soundfile.read(folder / f"{stem}.wav", dtype="float32", always_2d=True)[0].T


def test_reads_the_frames_asked_for(song: Path) -> None:
    track = track_of(song, mixture=song / "mixture.wav")
    whole = expected(song, "bass")
    assert track.header == Header(RATE, 2, RATE)
    assert track.seconds == 1.0
    np.testing.assert_array_equal(track.read("bass"), whole)
    for start, frames in ((0, 10), (123, 4567), (RATE - 1, 1), (RATE, 0)):
        part = track.read("bass", start, frames)
        assert part.dtype == np.float32
        np.testing.assert_array_equal(part, whole[:, start : start + frames])
    np.testing.assert_array_equal(track.read("bass", 7000), whole[:, 7000:])


def test_mixture_is_its_file_or_the_sum_of_the_stems(song: Path) -> None:
    total = sum(expected(song, stem).astype(np.float64) for stem in STEMS)
    np.testing.assert_allclose(track_of(song).read("mixture", 5, 100), total[:, 5:105], atol=1e-7)
    write(song / "mixture.wav", noise(99))
    mixture = track_of(song, mixture=song / "mixture.wav").read("mixture")
    np.testing.assert_array_equal(mixture, expected(song, "mixture"))


def test_sums_and_differences(song: Path) -> None:
    track = track_of(song, sums={"accompaniment": ("drums", "bass", "other")})
    rest = Track(
        "Song",
        "train",
        {
            "vocals": song / "vocals.wav",
            "accompaniment": {song / "mixture.wav": 1.0, song / "vocals.wav": -1.0},
            "choir": {},
        },
    )
    for each in (track, rest):
        total = expected(song, "mixture") - expected(song, "vocals")
        np.testing.assert_allclose(each.read("accompaniment", 50, 200), total[:, 50:250], atol=1e-6)
    assert track.stems == STEMS
    assert track.targets == (*STEMS, "accompaniment")
    assert track.parts("accompaniment") == ("drums", "bass", "other")
    assert not rest.read("choir").any()
    # The vocals cancel: the mixture is read from the mixture's file alone.
    np.testing.assert_array_equal(rest.read("mixture"), expected(song, "mixture"))


def test_a_channel_of_a_file_as_a_stem(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", noise(1))
    music, voice = expected(tmp_path, "song")
    track = Track("Song", "train", {"accompaniment": Channel(path, 0), "vocals": Channel(path, 1)})
    assert track.header == Header(RATE, 1, RATE)
    assert list(track.files.values()) == [path]
    np.testing.assert_array_equal(track.read("vocals", 100, 50), voice[None, 100:150])
    np.testing.assert_array_equal(track.read("accompaniment", 100, 50), music[None, 100:150])
    np.testing.assert_allclose(track.read("mixture"), (music + voice)[None], atol=1e-7)


def test_a_channel_beside_files_of_two(song: Path) -> None:
    mono = write(song / "mono.wav", noise(7, channels=1))
    track = Track("Song", "train", {"vocals": song / "vocals.wav", "guitar": Channel(mono, 0), "choir": {}})
    assert track.channels == 2
    guitar = expected(song, "mono")
    np.testing.assert_array_equal(track.read("guitar", 5, 10), np.repeat(guitar[:, 5:15], 2, axis=0))
    np.testing.assert_allclose(track.read("mixture"), expected(song, "vocals") + guitar, atol=1e-7)
    assert not track.read("choir").any()
    write(mono, noise(7, frames=RATE - 1, channels=1))
    with pytest.raises(ValueError, match=r"mono.wav has 7999 samples, vocals.wav 8000"):
        Track("Song", "train", {"vocals": song / "vocals.wav", "guitar": Channel(mono, 0)}).check()


def test_a_channel_that_the_file_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", noise(1, channels=1))
    with pytest.raises(ValueError, match=r"song.wav has 1 channels, and its channel 2 holds a stem: download"):
        Track("Song", "train", {"accompaniment": Channel(path, 0), "vocals": Channel(path, 1)}).check()


def test_covers_says_whether_targets_add_up_to_the_mixture(song: Path) -> None:
    track = track_of(song, sums={"accompaniment": ("drums", "bass", "other")})
    assert track.covers(["bass", "drums", "other", "vocals"])
    assert track.covers(["accompaniment", "vocals"])
    assert not track.covers(["vocals"])
    assert not track.covers(["accompaniment", "vocals", "drums"])


def test_construction_opens_nothing(tmp_path: Path) -> None:
    assert track_of(tmp_path / "nowhere").targets == STEMS


@pytest.mark.parametrize("extension", ["flac", "mp3", "aiff"])
def test_a_part_of_a_coded_file_is_that_part_of_the_whole(tmp_path: Path, extension: str) -> None:
    time = np.arange(3 * 44100) / 44100
    tones = np.stack([np.sin(2 * np.pi * 440 * time * (1 + time / 9)), np.sin(2 * np.pi * 997 * time)], axis=1) / 3
    path = write(tmp_path / f"vocals.{extension}", tones, 44100)
    whole = soundfile.read(path, dtype="float32")[0].T
    track = Track("Song", "train", {"vocals": path})
    assert track.frames == whole.shape[-1]
    for start in (1, 1152, 40000, 44100, 100001, track.frames - 3000):
        np.testing.assert_allclose(track.read("vocals", start, 3000), whole[:, start : start + 3000], atol=1e-6)


def test_missing_file(song: Path) -> None:
    (song / "drums.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"track 'Song' of split 'train' lacks its drums, .*drums.wav: restore"):
        track_of(song).check()


def test_corrupt_file(song: Path) -> None:
    (song / "bass.wav").write_bytes(b"RIFFnonsense" * 50)
    with pytest.raises(ValueError, match=r"cannot read .*bass.wav as audio, it is corrupt"):
        track_of(song).check()


def test_file_cut_short(song: Path) -> None:
    content = (song / "bass.wav").read_bytes()
    (song / "bass.wav").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"bass.wav is cut short"):
        track_of(song).check()


@pytest.mark.parametrize("header", [False, True])
def test_zero_length_file(song: Path, header: bool) -> None:
    if header:
        write(song / "bass.wav", noise(0, frames=0))
    else:
        (song / "bass.wav").write_bytes(b"")
    with pytest.raises(ValueError, match=r"bass.wav has zero length.*: export or download it again"):
        track_of(song).check()


def test_stem_of_another_length(song: Path) -> None:
    write(song / "drums.wav", noise(0, frames=RATE - 1))
    with pytest.raises(ValueError, match=r"drums.wav has 7999 samples, vocals.wav 8000, and all .* the same length"):
        track_of(song).check()


def test_stem_of_another_rate(song: Path) -> None:
    write(song / "other.wav", noise(0), rate=16000)
    with pytest.raises(ValueError, match=r"other.wav has a sample rate of 16000 Hz, vocals.wav of 8000 Hz.*: resample"):
        track_of(song).check()


def test_stem_with_another_channel_count(song: Path) -> None:
    write(song / "other.wav", noise(0, channels=1))
    with pytest.raises(ValueError, match=r"other.wav has 1 channels, vocals.wav 2, .* with as many channels"):
        track_of(song).check()


def test_mixture_of_another_length(song: Path) -> None:
    write(song / "mixture.wav", noise(0, frames=RATE + 5))
    with pytest.raises(ValueError, match=r"mixture.wav has 8005 samples, vocals.wav 8000"):
        track_of(song, mixture=song / "mixture.wav").check()


def test_unknown_target(song: Path) -> None:
    with pytest.raises(ValueError, match="track 'Song' has no target 'guitar': it has vocals, drums, bass, other"):
        track_of(song).read("guitar")


@pytest.mark.parametrize(("start", "frames"), [(-1, 10), (RATE - 5, 6), (RATE + 1, None)])
def test_range_outside_the_track(song: Path, start: int, frames: int | None) -> None:
    with pytest.raises(ValueError, match="are not within track 'Song', which has 8000"):
        track_of(song).read("bass", start, frames)


def test_file_that_changes_after_it_was_checked(song: Path) -> None:
    track = track_of(song)
    track.check()
    write(song / "bass.wav", noise(0, frames=100))
    with pytest.raises(ValueError, match=r"bass.wav ends at 0.01[23] s, before the length in its header"):
        track.read("bass", 0, 200)
    (song / "bass.wav").write_bytes(b"")
    with pytest.raises(ValueError, match=r"bass.wav is corrupt between 0.100 s and 0.125 s: download or export"):
        track.read("bass", 800, 200)
    (song / "bass.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"bass.wav has been removed meanwhile"):
        track.read("bass", 800, 200)


def test_format_that_seeks_inexactly(tmp_path: Path) -> None:
    path = write(tmp_path / "vocals.ogg", noise(0))
    with pytest.raises(ValueError, match=r"vocals.ogg cannot be read in parts exactly: convert it, `ffmpeg"):
        Track("Song", "train", {"vocals": path}).check()


def test_corrupt_in_the_middle(tmp_path: Path) -> None:
    path = write(tmp_path / "vocals.flac", noise(0, frames=40000))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20000] = bytes(20000)
    path.write_bytes(content)
    track = Track("Song", "train", {"vocals": path})
    with pytest.raises(ValueError, match=r"vocals.flac (is corrupt between|ends at)"):
        track.read("vocals")


def test_tracks_and_datasets_do_without_torch() -> None:
    code = "import sys, msbench.data.track, msbench.data.layouts.musdb18hq, msbench.data.layouts.musdb18; "
    code += "import msbench.data.layouts.folder; assert not {'torch', 'lightning', 'musdb', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
