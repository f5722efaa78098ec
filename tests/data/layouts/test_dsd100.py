"""DSD100 in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench.data.opening import open_dataset
from tests.data.layouts.published import names, samples, write_dsd100


def test_dsd100(tmp_path: Path) -> None:
    data = open_dataset("dsd100", write_dsd100(tmp_path / "DSD100"))
    assert data.splits == ("train", "valid", "test")
    found = names(data)
    assert found["test"] == ["001 - ANiMAL - Clinic A"]
    assert sorted(found["train"] + found["valid"]) == [
        "051 - AM Contra - Heart Peripheral",
        "055 - Angels In Amplifiers - I'm Alright",
    ]
    (track,) = data.tracks("test")
    assert (track.sample_rate, track.channels) == (44100, 2)
    sources = tmp_path / "DSD100" / "Sources" / "Test" / track.name
    np.testing.assert_array_equal(track.read("bass"), samples(sources / "bass.wav"))
    np.testing.assert_allclose(track.read("accompaniment") + track.read("vocals"), track.read("mixture"), atol=1e-6)
    (sources / "drums.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"track '001 - ANiMAL - Clinic A' of split 'test' lacks its drums, .*"):
        open_dataset("dsd100", data.root).tracks("test")
