"""ccMixter in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench.data.opening import open_dataset
from tests.data.layouts.published import names, samples, write_ccmixter


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
