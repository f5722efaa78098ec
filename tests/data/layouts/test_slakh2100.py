"""Slakh2100 in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from msbench.data.opening import open_dataset
from tests.data.layouts.published import names, samples, write_babyslakh, write_slakh2100
from tests.data.layouts.real import real


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
    assert dict(both.published) == {"train": 1500, "valid": 375, "test": 225}


def test_slakh2100_with_tracks_moved_between_its_splits(tmp_path: Path) -> None:
    """As splits_v2.json of slakh-utils has it."""
    root = write_slakh2100(tmp_path / "slakh")
    (root / "test" / "Track01876").rename(root / "train" / "Track01876")
    data = open_dataset("slakh2100", root)
    assert (data.version, dict(data.published)) == ("split2 without duplicates", {})


def test_slakh2100_as_wav(tmp_path: Path) -> None:
    root = write_slakh2100(tmp_path / "slakh")
    before = open_dataset("slakh2100", root).tracks("test")[0].read("piano")
    for path in root.rglob("*.flac"):
        data, rate = soundfile.read(path, dtype="int16")
        soundfile.write(path.with_suffix(".wav"), data, rate)
        path.unlink()
    np.testing.assert_array_equal(open_dataset("slakh2100", root).tracks("test")[0].read("piano"), before)


def test_babyslakh(tmp_path: Path) -> None:
    data = open_dataset("slakh2100", write_babyslakh(tmp_path / "babyslakh_16k"))
    assert (data.version, dict(data.published)) == ("baby", {"all": 20})
    assert names(data) == {"all": ["Track00001", "Track00002"]}
    assert not data.notes
    first = data.tracks("all")[0]
    assert (first.sample_rate, first.channels) == (16000, 1)
    stems = data.root / "Track00001" / "stems"
    np.testing.assert_array_equal(first.read("bass"), samples(stems / "S00.wav"))
    total = sum(first.read(stem) for stem in data.stems)
    np.testing.assert_allclose(first.read("mixture"), total, atol=1e-6)


def test_slakh2100_metadata_leads_nowhere_else(tmp_path: Path) -> None:
    root = write_slakh2100(tmp_path / "slakh")
    path = root / "train" / "Track00001" / "metadata.yaml"
    metadata = yaml.safe_load(path.read_text())
    metadata["stems"]["../../Track00002/stems/S00"] = metadata["stems"].pop("S00")
    path.write_text(yaml.safe_dump(metadata))
    with pytest.raises(ValueError, match=r"stem of .*metadata.yaml '../../Track00002/stems/S00' begins with a dot"):
        open_dataset("slakh2100", root).tracks("train")


@pytest.mark.parametrize(
    ("name", "split", "version", "rate"),
    [("slakh2100_flac_redux", "train", "redux", 44100), ("babyslakh_16k", "all", "baby", 16000)],
)
def test_real_tracks_of_slakh(name: str, split: str, version: str, rate: int) -> None:
    data = open_dataset("slakh2100", real("slakh") / name)
    (track,) = data.tracks(split)
    assert (data.version, track.name, track.sample_rate) == (version, "Track00001", rate)
    assert np.any(track.read("guitar"))  # the other stems are silent in the first two seconds
    total = sum(track.read(stem) for stem in data.stems)
    np.testing.assert_allclose(track.read("mixture"), total, atol=1e-6)
