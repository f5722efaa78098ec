"""MedleyDB in its published layout, with stem maps and metadata good and bad."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from msbench.data.layouts.medleydb import published_tracks
from msbench.data.layouts.stem_map import PACKAGED, read_metadata, read_stem_map
from msbench.data.opening import open_dataset
from tests.data.layouts.published import names, samples, write_medleydb
from tests.data.layouts.real import real


def test_medleydb(tmp_path: Path) -> None:
    data = open_dataset("medleydb", write_medleydb(tmp_path / "MedleyDB"))
    assert data.targets == ("vocals", "drums", "bass", "other", "accompaniment")
    tracks = {track.name: track for split in data.splits for track in data.tracks(split)}
    assert set(tracks) == {"AClassicEducation_NightOwl", "LizNelson_Rainfall", "Somebody_Mine"}
    assert data.notes == [
        "train/Phoenix_ScotchMorris is left out: its stems hold other instruments (has_bleed)",
        "test/LizNelson_ImComingHome is left out: its stems hold other instruments (has_bleed)",
    ]
    liz = tracks["LizNelson_Rainfall"]
    stems = data.root / "Audio" / liz.name / f"{liz.name}_STEMS"
    singers = sum(samples(stems / f"{liz.name}_STEM_{i:02d}.wav") for i in (1, 2, 3))
    np.testing.assert_allclose(liz.read("vocals"), singers, atol=1e-6)
    assert not liz.read("drums").any()
    np.testing.assert_array_equal(liz.read("mixture"), samples(stems.parent / f"{liz.name}_MIX.wav"))
    mine = tracks["Somebody_Mine"]  # bass and piano in one stem are neither
    assert not mine.read("bass").any()
    assert mine.read("other").any()


def test_medleydb_releases(tmp_path: Path) -> None:
    assert {release: len(tracks) for release, tracks in published_tracks().items()} == {"V1": 122, "V2": 74}
    root = write_medleydb(tmp_path / "MedleyDB")
    data = open_dataset("medleydb", root)
    assert (data.version, dict(data.published)) == ("V1", {"train+valid+test": 94})
    (root / "stem_map.yaml").write_text("targets: {vocals: ['* singer']}\nrest: other\noptions: {with_bleed: true}\n")
    assert dict(open_dataset("medleydb", root).published) == {"train+valid+test": 122}
    for folder in (root / "Audio").iterdir():
        if folder.name != "Somebody_Mine":
            shutil.rmtree(folder)
    assert (open_dataset("medleydb", root).version, dict(open_dataset("medleydb", root).published)) == ("own", {})


def test_medleydb_spellings_of_an_artist_are_in_one_split(tmp_path: Path) -> None:
    root = write_medleydb(tmp_path / "MedleyDB")
    (root / "stem_map.yaml").write_text("targets: {vocals: ['* singer']}\nrest: other\noptions: {with_bleed: true}\n")
    splits = names(open_dataset("medleydb", root))
    assert splits["test"] == ["LizNelson_ImComingHome", "LizNelson_Rainfall"]  # by "Liz Nelson & Jennifer Davies"


def test_medleydb_remixed_with_the_published_gains(tmp_path: Path) -> None:
    root = write_medleydb(tmp_path / "MedleyDB")
    text = "targets: {vocals: ['* singer']}\nrest: other\noptions: {remix: true, with_bleed: true}\n"
    (tmp_path / "remix.yaml").write_text(text)
    (tmp_path / "plain.yaml").write_text(text.replace("remix: true", "remix: false"))
    data = open_dataset("medleydb", root, tmp_path / "remix.yaml")
    assert data.version == "V1 remixed"
    tracks = {track.name: track for split in data.splits for track in data.tracks(split)}
    scotch = tracks["Phoenix_ScotchMorris"]
    stems = data.root / "Audio" / scotch.name / f"{scotch.name}_STEMS"
    # Of the third, marl/medleydb's tests/test_multitrack.py expects 0.585016969071061.
    gains = (0.5492, 0.638, 0.585016969071061, 1.99)
    parts = [samples(stems / f"{scotch.name}_STEM_{i:02d}.wav") for i in (1, 2, 3, 4)]
    total = sum(gain * part for gain, part in zip(gains, parts, strict=True))
    np.testing.assert_allclose(scotch.read("other"), total, atol=1e-4)
    for track in tracks.values():
        np.testing.assert_allclose(track.read("mixture"), sum(track.read(stem) for stem in data.stems), atol=1e-6)
    owl = published_tracks()["V1"]["AClassicEducation_NightOwl"]
    assert owl[2] == 0.2  # as that test expects of the third stem, by hand
    plain = open_dataset("medleydb", root, tmp_path / "plain.yaml")
    assert plain.fingerprint("train") != data.fingerprint("train")


def test_real_metadata_of_medleydb(tmp_path: Path) -> None:
    metadata = real("medleydb_metadata")
    for release, tracks in published_tracks().items():
        assert (metadata / f"tracklist_{release.lower()}.txt").read_text().split() == list(tracks)
    for track, gains in (item for tracks in published_tracks().values() for item in tracks.items()):
        (tmp_path / "Audio" / track / f"{track}_STEMS").mkdir(parents=True)
        copy = tmp_path / "Audio" / track / f"{track}_METADATA.yaml"
        copy.symlink_to(metadata / copy.name)
        assert len(read_metadata(copy)["stems"]) == len(gains)
    data = open_dataset("medleydb", tmp_path)
    assert data.version == "V1+V2"
    for track, erratum in data.errata.items():
        bleed = read_metadata(metadata / f"{track}_METADATA.yaml")["has_bleed"]
        assert ("bleeding" in erratum and "not tagged" not in erratum) == (bleed == "yes")
    found = [track for split in data.splits for track in data.find_tracks(split)]
    assert {"+".join(data.splits): len(found)} == dict(data.published) == {"train+valid+test": 116}


def test_medleydb_taxonomy() -> None:
    """The labels of its taxonomy.yaml (marl/medleydb, MIT License), by what they are here."""
    voices = "male singer, female singer, male speaker, female speaker, male rapper, female rapper, beatboxing, "
    voices += "vocalists, choir, male screamer, female screamer"
    drums = "triangle, sleigh bells, cowbell, cabasa, high hat, gong, guiro, gu, cymbal, castanet, claps, rattle, "
    drums += "shaker, maracas, timpani, toms, snare drum, kick drum, bass drum, bongo, conga, tambourine, darbuka, "
    drums += "doumbek, tabla, auxiliary percussion, drum set, drum machine"
    other = "crowd, chimes, xylophone, vibraphone, marimba, glockenspiel, whistle, snaps, cello, bass clarinet, "
    other += "acoustic guitar, piano, tuba, lap steel guitar, synthesizer, fx/processed sound, Main System, Unlabeled"
    labels = {"vocals": voices, "drums": drums, "bass": "electric bass, double bass", "other": other}
    medley = read_stem_map(PACKAGED / "medleydb.yaml")
    for target, listed in labels.items():
        assert {medley.target_of(label) for label in listed.split(", ")} == {target}


def test_medleydb_with_a_map_of_ones_own(tmp_path: Path) -> None:
    root = write_medleydb(tmp_path / "MedleyDB")
    text = "targets: {guitar: ['*guitar']}\nrest: other\noptions: {with_bleed: true}\n"
    (root / "stem_map.yaml").write_text(text)
    data = open_dataset("medleydb", root)
    assert data.targets == data.stems == ("guitar", "other")
    assert sum(len(data.tracks(split)) for split in data.splits) == 5
    (tmp_path / "piano.yaml").write_text("targets: {piano: [piano]}\nrest: band\n")
    other = open_dataset("medleydb", root, tmp_path / "piano.yaml")
    assert other.targets == ("piano", "band")
    assert other.fingerprint("train") != data.fingerprint("train")


def test_medleydb_bad_metadata(tmp_path: Path) -> None:
    root = write_medleydb(tmp_path / "MedleyDB")
    metadata = root / "Metadata" / "LizNelson_Rainfall_METADATA.yaml"
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
    metadata.write_text("stems: {S01: {instrument: piano, filename: ../../x.wav}}")
    with pytest.raises(ValueError, match=r"stem S01 of .*METADATA.yaml '../../x.wav' begins with a dot"):
        open_dataset("medleydb", root).tracks("train")
    metadata.write_text("stem_dir: /home\nstems: {S01: {instrument: piano, filename: x.wav}}")
    with pytest.raises(ValueError, match=r"stem_dir of .*METADATA.yaml '/home' holds a slash"):
        open_dataset("medleydb", root).tracks("train")
    metadata.unlink()
    with pytest.raises(FileNotFoundError, match=r"no metadata .*LizNelson_Rainfall_METADATA.yaml: restore the file"):
        open_dataset("medleydb", root).tracks("train")
    with pytest.raises(ValueError, match=r"no tracks of 'medleydb' in .*: its root must hold <track>/<track>_MIX.wav"):
        open_dataset("medleydb", tmp_path).tracks("train")
