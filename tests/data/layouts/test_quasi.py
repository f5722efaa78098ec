"""QUASI in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from msbench.data.opening import open_dataset
from tests.data.layouts.published import samples, write_quasi


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
