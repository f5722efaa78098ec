"""Stem maps: which label belongs to which target."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.data.layouts.stem_map import PACKAGED, StemMap, read_stem_map
from msbench.data.opening import open_dataset


def test_labels_find_their_targets() -> None:
    medley = read_stem_map(PACKAGED / "medleydb.yaml")
    assert medley.stems == ("vocals", "drums", "bass", "other")
    found = {label: medley.target_of(label) for label in ("Female Singer", "bass drum", "double bass", "Main System")}
    assert found == {"Female Singer": "vocals", "bass drum": "drums", "double bass": "bass", "Main System": "other"}
    assert medley.target_of("male singer", "vocalists") == "vocals"
    assert medley.target_of("male singer", "piano") == "other"
    assert medley.target_of() == "other"


def test_names_of_multitrack_files() -> None:
    quasi = read_stem_map(PACKAGED / "quasi.yaml")
    # All instruments of QUASI's ten excerpts in TEST.m of nkeriven/alpha_stable_bss, and some of MASS.
    of = {
        "vocals": ["voc", "vocs", "lead_vocal", "lead_voca", "speech", "vox", "vocals"],
        "drums": ["drums", "bass_drum", "hi-hat", "snare_top", "snare"],
        "bass": ["bass", "Bass_DI", "synth_bass2"],
        "other": [
            *[
                "rythm_gtr",
                "lead_gtr",
                "git",
                "piano_loop",
                "piano",
                "elec_gtr",
                "synth",
                "strings",
                "samples",
                "organ",
            ],
            *["ac_gtr1", "pads", "gtr1", "gtr", "vibes", "keyboards", "acoustik_gtrs", "cello", "elec_gtrs", "clav"],
            *["organ", "wind", "bassoon", "acoustic_guit_main", "guitar"],
        ],
    }
    assert {target: [quasi.target_of(label) for label in labels] for target, labels in of.items()} == {
        target: [target] * len(labels) for target, labels in of.items()
    }


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.yaml")), ids=lambda path: path.stem)
def test_our_maps_are_maps(path: Path) -> None:
    two_channels = path.stem.startswith("mir1k")  # and nothing else
    assert read_stem_map(path).rest == (None if two_channels else "other")


def test_label_without_a_target() -> None:
    strict = StemMap({"vocals": ("voice",), "drums": ("drums",)}, path=Path("mine.yaml"))
    with pytest.raises(ValueError, match=r"mine.yaml has no target for 'oboe': name it under a target, or add a rest"):
        strict.target_of("oboe")
    with pytest.raises(ValueError, match=r"mine.yaml has no target for voice with drums in one file: add a rest"):
        strict.target_of("voice", "drums")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targets: [", r"is not YAML: .*: write targets: \{vocals"),
        ("vocals: [voice]", r"is not a stem map: write targets"),
        ("targets: {}", r"is not a stem map: write targets"),
        ("targets: {vocals: voice}", r"'vocals' needs a list of names"),
        ("targets: {vocals: [1]}", r"'vocals' needs a list of names"),
        ("targets: {vocals: [voice]}\nothers: x", r"has an unknown key 'others': a stem map has targets, rest"),
        ("targets: {vocals: [voice]}\nsums: {band: [bass]}", r"the sum 'band' must .* add up some of vocals"),
    ],
)
def test_bad_maps(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"map.yaml.*" + message):
        read_stem_map(tmp_path / "map.yaml")


def test_missing_map(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no stem map .*none.yaml: correct the path"):
        read_stem_map(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["mass", "medleydb", "mir1k", "quasi", "slakh2100"])
def test_a_file_in_place_of_the_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "archive.tar.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=rf"no tracks of '{name}' in .*archive.tar.gz: its root must hold "):
        open_dataset(name, tmp_path / "archive.tar.gz")
