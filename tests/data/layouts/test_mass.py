"""MASS in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from msbench.data.opening import open_dataset
from tests.data.layouts.published import names, samples, write_mass


def test_mass(tmp_path: Path) -> None:
    data = open_dataset("mass", write_mass(tmp_path / "MASS"))
    assert names(data) == {
        "test": [
            "bearlin-roads_85-99",
            "dev2__another_dreamer-the_ones_we_love__snip_69_94",
            "tamy-que_pena_tanto_faz_6-19",
        ],
    }
    dry, _, wet = data.tracks("test")
    place = data.root / "tamy-que_pena_tanto_faz (bossanova)" / wet.name / "tracks_with_effects"
    np.testing.assert_array_equal(wet.read("vocals"), samples(place / "vocals.wav"))
    np.testing.assert_allclose(
        wet.read("mixture"), samples(place / "vocals.wav") + samples(place / "guitar.wav"), atol=1e-7
    )
    assert dry.channels == 1
    assert all(dry.read(target).any() for target in ("vocals", "drums", "bass", "other"))
