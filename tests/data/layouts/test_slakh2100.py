"""Slakh2100 in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from msbench.data.opening import open_dataset
from tests.data.layouts.published import names, samples, write_slakh2100


def test_slakh2100(tmp_path: Path) -> None:
    data = open_dataset("slakh2100", write_slakh2100(tmp_path / "slakh2100_flac_redux"))
    assert data.targets == ("drums", "bass", "guitar", "piano", "other")
    assert names(data) == {
        "train": ["Track00001", "Track00002", "Track00004"],
        "valid": ["Track01501"],
        "test": ["Track01876"],
    }
    assert data.notes == ["test/Track01939 is left out: it has the MIDI file of Track00004"]
    track = data.tracks("train")[0]
    assert track.channels == 1
    stems = data.root / "train" / "Track00001" / "stems"
    np.testing.assert_allclose(
        track.read("guitar"), samples(stems / "S02.flac") + samples(stems / "S03.flac"), atol=1e-7
    )
    assert not track.read("piano").any()
    total = sum(track.read(stem) for stem in data.stems)
    np.testing.assert_allclose(track.read("mixture"), total, atol=1e-6)
    (data.root / "stem_map.yaml").write_text("targets: {drums: [drums]}\nrest: other\noptions: {duplicates: true}\n")
    both = open_dataset("slakh2100", data.root)
    assert [track.name for track in both.tracks("test")] == ["Track01876", "Track01939"]
    assert both.version == "orig"
