"""iKala in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from msbench.data.opening import open_dataset
from tests.data.layouts.published import names, samples, write_ikala
from tests.data.layouts.real import real


def test_ikala(tmp_path: Path) -> None:
    data = open_dataset("ikala", write_ikala(tmp_path / "iKala"))
    assert data.splits == ("train", "valid", "test", "all")
    found = names(data)
    assert len(found["all"]) == 5
    assert sorted(found["train"] + found["valid"] + found["test"]) == sorted(found["all"])
    assert {"10161_chorus", "10161_verse"} <= set(found["train"])  # one song is in one split
    track = next(track for track in data.tracks("all") if track.name == "45305_chorus")
    music, voice = samples(data.root / "Wavfile" / "45305_chorus.wav")
    assert (track.sample_rate, track.channels) == (44100, 1)
    np.testing.assert_array_equal(track.read("vocals"), voice[None])
    np.testing.assert_array_equal(track.read("accompaniment"), music[None])
    np.testing.assert_allclose(track.read("mixture"), (music + voice)[None], atol=1e-7)


def test_a_real_clip_of_ikala() -> None:
    (track,) = open_dataset("ikala", real("ikala")).tracks("all")
    assert (track.name, track.sample_rate, track.channels) == ("10161_chorus", 44100, 1)
    # As mirdata's tests have it: "the first quarter second has only instrumentals".
    assert np.mean(np.abs(track.read("vocals", 0, 8820))) < np.mean(np.abs(track.read("accompaniment", 0, 8820)))
