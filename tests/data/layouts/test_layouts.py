"""The readers of published layouts: what each finds, and what it says of what is broken."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench import registry
from msbench.data.dataset import Dataset, divide
from msbench.data.opening import open_dataset
from tests.data.layouts.published import (
    FRAMES,
    WRITERS,
    store,
    write_ccmixter,
    write_csv,
    write_dsd100,
    write_ikala,
    write_mass,
    write_medleydb,
    write_mir1k,
    write_quasi,
    write_slakh2100,
)
from tests.data.songs import noise


def samples(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def names(data: Dataset) -> dict[str, list[str]]:
    return {split: [track.name for track in data.tracks(split)] for split in data.splits}


def test_every_dataset_of_ours_is_tested_in_its_layout() -> None:
    ours = {name for name, entry in registry.entries("datasets").items() if entry.module.startswith("msbench.")}
    assert ours == {*WRITERS, "demo", "musdb18"}  # the demo writes itself; stem.mp4 is in test_datasets


@pytest.mark.parametrize("name", WRITERS)
def test_stems_are_read_in_parts_as_the_whole(name: str, tmp_path: Path) -> None:
    data = open_dataset(name, WRITERS[name](tmp_path / name))
    assert data.licence
    assert data.rule
    found = [track for split in data.splits for track in data.tracks(split)]
    assert found
    for track in found:
        assert track.targets == data.targets
        assert track.stems == data.stems
        for target in (*track.targets, "mixture"):
            whole = track.read(target)
            assert whole.shape == (track.channels, track.frames)
            np.testing.assert_allclose(track.read(target, 1000, 500), whole[:, 1000:1500], atol=1e-7)
        assert np.any(track.read("mixture"))


def test_divide_is_fixed_and_keeps_its_shares() -> None:
    shares = {"train": 0.7, "valid": 0.1, "test": 0.2}
    found = [divide(f"song {i}", shares) for i in range(2000)]
    assert [divide(name, shares) for name in ("10161", "45305", "21025", "é")] == ["train", "valid", "test", "train"]
    for split, share in shares.items():
        assert abs(found.count(split) / 2000 - share) < 0.03


def test_dsd100(tmp_path: Path) -> None:
    data = open_dataset("dsd100", write_dsd100(tmp_path / "DSD100"))
    assert data.splits == ("train", "valid", "test")
    found = names(data)
    assert found["test"] == ["001 - ANiMAL - Clinic A"]
    assert sorted(found["train"] + found["valid"]) == [
        "051 - AM Contra - Heart Peripheral",
        "055 - Ångström - Élan",
    ]
    (track,) = data.tracks("test")
    assert (track.sample_rate, track.channels) == (44100, 2)
    sources = tmp_path / "DSD100" / "Sources" / "Test" / track.name
    np.testing.assert_array_equal(track.read("bass"), samples(sources / "bass.wav"))
    np.testing.assert_allclose(
        track.read("accompaniment") + track.read("vocals"), track.read("mixture"), atol=1e-6
    )  # fmt: skip
    (sources / "drums.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"track '001 - ANiMAL - Clinic A' of split 'test' lacks its drums, .*"):
        open_dataset("dsd100", data.root).tracks("test")


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


def test_mir1k(tmp_path: Path) -> None:
    data = open_dataset("mir1k", write_mir1k(tmp_path / "MIR-1K"))
    found = names(data)
    assert found["train"] == ["abjones_1_01", "amy_1_01"]
    assert found["valid"] == ["abjones_5_08", "amy_9_09"]
    assert found["test"] == ["Kenshin_1_01", "ariel_2_07"]
    assert len(found["all"]) == 6
    assert data.tracks("all")[0].sample_rate == 16000


def test_karaoke_without_clips(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no tracks of 'mir1k' in .*: its root must hold Wavfile/\*.wav"):
        open_dataset("mir1k", tmp_path).tracks("test")
    store(tmp_path / "Wavfile" / "amy_1_01.wav", noise(0, FRAMES, 1), 16000)
    with pytest.raises(ValueError, match=r"amy_1_01.wav has 1 channels, and its channel 2 holds a stem"):
        open_dataset("mir1k", tmp_path).tracks("train")


def test_ccmixter(tmp_path: Path) -> None:
    data = open_dataset("ccmixter", write_ccmixter(tmp_path / "ccmixter_corpus"))
    found = names(data)
    assert len(found["all"]) == 6
    assert sorted(found["train"] + found["valid"] + found["test"]) == found["all"]
    track = data.tracks("all")[2]
    np.testing.assert_array_equal(track.read("vocals"), samples(data.root / track.name / "source-02.wav"))
    np.testing.assert_array_equal(track.read("accompaniment"), samples(data.root / track.name / "source-01.wav"))
    np.testing.assert_array_equal(track.read("mixture"), samples(data.root / track.name / "mix.wav"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ValueError,
        match=r"no tracks of 'ccmixter' in .*empty: its root must hold <track>/\{mix,source-01,source-02\}.wav",
    ):
        open_dataset("ccmixter", tmp_path / "empty").tracks("all")


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
    metadata.unlink()
    with pytest.raises(FileNotFoundError, match=r"no metadata .*LizNelson_Rainfall_METADATA.yaml: restore the file"):
        open_dataset("medleydb", root).tracks("train")
    with pytest.raises(ValueError, match=r"no tracks of 'medleydb' in .*: its root must hold <track>/<track>_MIX.wav"):
        open_dataset("medleydb", tmp_path).tracks("train")


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
    )  # fmt: skip
    assert not track.read("piano").any()
    total = sum(track.read(stem) for stem in data.stems)
    np.testing.assert_allclose(track.read("mixture"), total, atol=1e-6)
    (data.root / "stem_map.yaml").write_text("targets: {drums: [drums]}\nrest: other\noptions: {duplicates: true}\n")
    both = open_dataset("slakh2100", data.root)
    assert [track.name for track in both.tracks("test")] == ["Track01876", "Track01939"]
    assert both.version == "orig"


def test_mass(tmp_path: Path) -> None:
    data = open_dataset("mass", write_mass(tmp_path / "MASS"))
    assert names(data) == {
        "test": ["bearlin-roads_85-99", "dev2__another_dreamer-the_ones_we_love__snip_69_94",
                 "tamy-que_pena_tanto_faz_6-19"],
    }  # fmt: skip
    dry, _, wet = data.tracks("test")
    place = data.root / "tamy-que_pena_tanto_faz (bossanova)" / wet.name / "tracks_with_effects"
    np.testing.assert_array_equal(wet.read("vocals"), samples(place / "vocals.wav"))
    np.testing.assert_allclose(
        wet.read("mixture"), samples(place / "vocals.wav") + samples(place / "guitar.wav"), atol=1e-7
    )  # fmt: skip
    assert dry.channels == 1
    assert all(dry.read(target).any() for target in ("vocals", "drums", "bass", "other"))


def test_quasi(tmp_path: Path) -> None:
    data = open_dataset("quasi", write_quasi(tmp_path / "QUASI"))
    soldier, ana = data.tracks("test")
    assert (soldier.sample_rate, soldier.channels) == (48000, 2)
    bass = samples(data.root / f"{soldier.name}__bass.wav")
    np.testing.assert_array_equal(soldier.read("bass"), np.repeat(bass, 2, axis=0))
    assert ana.name == "11 Vieux Farka Touré - Ana"
    np.testing.assert_array_equal(ana.read("mixture"), samples(data.root / ana.name / "mix.wav"))
    assert not ana.read("vocals").any()  # French names are not in our map: they are "other"
    (data.root / "stem_map.yaml").write_text(
        "targets: {vocals: ['voix*', '*vocal*']}\nrest: other\noptions: {stems: ['*/*.wav'], mixture: [mix]}\n"
    )
    (ana,) = open_dataset("quasi", data.root).tracks("test")
    np.testing.assert_array_equal(ana.read("vocals"), samples(data.root / ana.name / "voix principale.wav"))


def test_multitrack_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no songs in .*: 'mass' looks for .*tracks_with_effects/\*.wav.*stem_map"):
        open_dataset("mass", tmp_path).tracks("test")
    root = write_mass(tmp_path / "MASS")
    (root / "stem_map.yaml").write_text("targets: {vocals: ['voc*']}\nrest: other\n")
    with pytest.raises(ValueError, match=r"stem_map.yaml does not say where the stems are: add options.stems"):
        open_dataset("mass", root).tracks("test")


def test_broken_stem_of_a_song(tmp_path: Path) -> None:
    root = write_quasi(tmp_path / "QUASI")
    (root / "08_nine_inch_nails-good_soldier__snip_104-134__gtr.wav").write_bytes(b"")
    with pytest.raises(ValueError, match=r"__gtr.wav has zero length: export or download it again"):
        open_dataset("quasi", root).tracks("test")


def test_csv_of_floats(tmp_path: Path) -> None:
    table = write_csv(tmp_path)
    data = open_dataset("folder", table)
    assert data.splits == ("train", "test")
    assert data.manifest == tmp_path / "songs.csv.msbench-manifest.json"
    assert data.manifest_sha256 is None
    data.manifest.write_text("{}")
    assert data.manifest_sha256 == hashlib.sha256(b"{}").hexdigest()


def test_a_stem_map_where_none_applies(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("targets: {vocals: [voice]}")
    with pytest.raises(ValueError, match=r"dataset 'ccmixter' has the targets vocals, accompaniment: no stem map"):
        open_dataset("ccmixter", write_ccmixter(tmp_path / "cc"), tmp_path / "map.yaml")
