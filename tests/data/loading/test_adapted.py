"""Tracks at another rate and channel count: any part is that part of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench.data.loading.adapted import AdaptedTrack
from msbench.data.loading.faults import BadTrack
from msbench.data.track import Track
from msbench.model.stft import resample
from tests.data.songs import RATE, STEMS, noise, write, write_song


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Track:
    """Two seconds at 44.1 kHz."""
    folder = write_song(tmp_path_factory.mktemp("song") / "Song", 3, frames=88201, rate=44100)
    return Track("Song", "train", {stem: folder / f"{stem}.wav" for stem in STEMS}, mixture=folder / "mixture.wav")


@pytest.mark.parametrize("rate", [22050, 8192, 16000, 48000, 44101])
def test_a_part_is_that_part_of_the_whole_resampled(song: Track, rate: int) -> None:
    adapted = AdaptedTrack(song, rate, 2)
    whole = resample(song.read("vocals"), 44100, rate)
    assert adapted.frames == whole.shape[-1]
    for start in (0, 1, 777, adapted.frames // 2, adapted.frames - 500):
        np.testing.assert_allclose(adapted.read("vocals", start, 500), whole[:, start : start + 500], atol=1e-6)


def test_zeros_follow_the_end(song: Track) -> None:
    adapted = AdaptedTrack(song, 22050, 1)
    tail = adapted.read("bass", adapted.frames - 10, 50)
    assert tail.shape == (1, 50)
    assert tail[:, :10].any()
    assert not tail[:, 10:].any()


def test_channels(song: Track, tmp_path: Path) -> None:
    stereo = song.read("drums", 100, 50)
    mono = AdaptedTrack(song, 44100, 1).read("drums", 100, 50)
    np.testing.assert_allclose(mono, stereo.mean(0, keepdims=True), atol=1e-7)
    single = Track("Mono", "train", {"vocals": write(tmp_path / "vocals.wav", noise(0, channels=1))})
    copied = AdaptedTrack(single, RATE, 2).read("vocals", 0, 50)
    np.testing.assert_array_equal(copied, np.repeat(single.read("vocals", 0, 50), 2, axis=0))
    six = Track("Six", "train", {"vocals": write(tmp_path / "six.wav", noise(0, channels=6))})
    np.testing.assert_allclose(
        AdaptedTrack(six, RATE, 1).read("vocals", 0, 50), six.read("vocals", 0, 50).mean(0, keepdims=True), atol=1e-7
    )


def test_channels_that_cannot_be_made(song: Track) -> None:
    with pytest.raises(ValueError, match="track 'Song' of split 'train' has 2 channels and the model 6: mix its files"):
        AdaptedTrack(song, 44100, 6)


def test_a_slip_in_reading_is_no_bad_track(song: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    def slip(*_: object) -> None:
        np.zeros(3).reshape(2, 2)  # a ValueError, and nothing wrong with the track

    monkeypatch.setattr(Track, "read", slip)
    with pytest.raises(ValueError, match="cannot reshape") as raised:
        AdaptedTrack(song, 44100, 2).read("vocals", 0, 10)
    assert not isinstance(raised.value, BadTrack)
