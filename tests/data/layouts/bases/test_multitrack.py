"""Multitracks whose files name the instrument: what is said of bad maps and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.data.opening import open_dataset
from tests.data.layouts.published import write_mass, write_quasi


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
