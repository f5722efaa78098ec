from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.data.demo import songs as demo


def test_a_song_follows_from_seed_and_number_alone(tmp_path: Path) -> None:
    one, two = demo.write_song(tmp_path / "a", 3), demo.write_song(tmp_path / "b", 3)
    for name in ("mixture", *demo.STEMS):
        assert (one / f"{name}.wav").read_bytes() == (two / f"{name}.wav").read_bytes()
    other = demo.song_stems(3, seed=1)
    assert not np.array_equal(other["vocals"], demo.song_stems(3)["vocals"])


def test_stems_sum_to_the_mixture_and_sound(tmp_path: Path) -> None:
    song = demo.write_song(tmp_path, 10)
    stems = {name: soundfile.read(song / f"{name}.wav", dtype="int16")[0].astype(int) for name in demo.STEMS}
    mixture, rate = soundfile.read(song / "mixture.wav", dtype="int16")
    assert rate == 44100
    assert mixture.shape[1] == 2
    assert 10 < len(mixture) / rate < 15
    np.testing.assert_array_equal(sum(stems.values()), mixture)
    assert np.abs(mixture.astype(int)).max() < 32767
    for stem in stems.values():
        seconds = np.abs(stem[: len(stem) // rate * rate]).reshape(-1, rate * 2).max(1)
        assert (seconds > 0).mean() > 0.8


def test_splits_are_disjoint() -> None:
    counts = [sum(split == wanted for split, _ in demo.SONGS) for wanted in ("train", "valid", "test")]
    assert counts == [8, 2, 4]
    assert len({name for _, name in demo.SONGS}) == 14


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "write_song", fail)
    with pytest.raises(KeyboardInterrupt):
        demo.write_demo(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()
