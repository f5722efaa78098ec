"""MedleyDB in its published layout, with stem maps and metadata good and bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench.data.opening import open_dataset
from tests.data.layouts.published import samples, write_medleydb


def test_medleydb(tmp_path: Path) -> None:
    data = open_dataset("medleydb", write_medleydb(tmp_path / "MedleyDB"))
    assert data.targets == ("vocals", "drums", "bass", "other", "accompaniment")
    tracks = {track.name: track for split in data.splits for track in data.tracks(split)}
    assert set(tracks) == {"AClassicEducation_NightOwl", "LizNelson_Rainfall", "MusicDelta_Rock"}
    assert data.notes == ["train/Phoenix_ScotchMorris is left out: its stems hold other instruments (has_bleed)"]
    liz = tracks["LizNelson_Rainfall"]
    assert liz.split == "train"
    stems = data.root / "Audio" / liz.name / f"{liz.name}_STEMS"
    two = samples(stems / f"{liz.name}_STEM_02.wav") + samples(stems / f"{liz.name}_STEM_03.wav")
    np.testing.assert_allclose(liz.read("vocals"), two, atol=1e-7)  # 24 bits, and two singers
    assert not liz.read("drums").any()
    np.testing.assert_array_equal(liz.read("mixture"), samples(stems.parent / f"{liz.name}_MIX.wav"))
    rock = tracks["MusicDelta_Rock"]  # bass and piano in one stem are neither
    assert not rock.read("bass").any()
    assert rock.read("other").any()


def test_medleydb_with_a_map_of_ones_own(tmp_path: Path) -> None:
    root = write_medleydb(tmp_path / "MedleyDB")
    text = "targets: {guitar: ['*guitar']}\nrest: other\noptions: {with_bleed: true}\n"
    (root / "stem_map.yaml").write_text(text)
    data = open_dataset("medleydb", root)
    assert data.targets == data.stems == ("guitar", "other")
    assert sum(len(data.tracks(split)) for split in data.splits) == 4
    (tmp_path / "piano.yaml").write_text("targets: {piano: [piano]}\nrest: band\n")
    other = open_dataset("medleydb", root, tmp_path / "piano.yaml")
    assert other.targets == ("piano", "band")
    assert other.fingerprint("train") != data.fingerprint("train")


def test_medleydb_bad_metadata(tmp_path: Path) -> None:
    root = write_medleydb(tmp_path / "MedleyDB")
    metadata = root / "Audio" / "LizNelson_Rainfall" / "LizNelson_Rainfall_METADATA.yaml"
    metadata.write_text("artist: [")
    with pytest.raises(ValueError, match=r"LizNelson_Rainfall_METADATA.yaml is not YAML: .*: download it again"):
        open_dataset("medleydb", root).tracks("train")
    metadata.write_text("just words")
    with pytest.raises(ValueError, match=r"LizNelson_Rainfall_METADATA.yaml holds no metadata: download it again"):
        open_dataset("medleydb", root).tracks("train")
    for stems in ("[one, two]", "{S01: vocals}"):
        metadata.write_text(f"stems: {stems}")
        with pytest.raises(
            ValueError, match=r"METADATA.yaml does not list stems as it should, each with its own table"
        ):
            open_dataset("medleydb", root).tracks("train")
    metadata.write_text("stems: {S01: {instrument: piano}}")
    with pytest.raises(ValueError, match=r"LizNelson_Rainfall_METADATA.yaml names no file for stem S01: download it"):
        open_dataset("medleydb", root).tracks("train")
    metadata.unlink()
    with pytest.raises(FileNotFoundError, match=r"no metadata .*LizNelson_Rainfall_METADATA.yaml: restore the file"):
        open_dataset("medleydb", root).tracks("train")
    with pytest.raises(ValueError, match=r"no tracks of 'medleydb' in .*: its root must hold <track>/<track>_MIX.wav"):
        open_dataset("medleydb", tmp_path).tracks("train")
