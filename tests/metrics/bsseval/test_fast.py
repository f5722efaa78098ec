"""Stretches of a track, scored from correlations alone."""

from __future__ import annotations

import numpy as np
import pytest

from msbench.metrics.bsseval.correlation import Correlator
from msbench.metrics.bsseval.fast import Scorer, joined
from msbench.metrics.bsseval.settings import Settings
from tests.metrics.bsseval.examples import assert_museval, assert_same, signals

LAGS = 16


def scorer(references: np.ndarray, estimates: np.ndarray, strict: bool = True) -> Scorer:
    settings = Settings(np.inf, np.inf, False, LAGS, False, False)
    return Scorer(Correlator(references, estimates, LAGS, workers=1), settings, strict)


def test_a_stretch_is_scored_as_a_track_of_its_own() -> None:
    references, estimates = signals((2, 6000, 2))
    scores = scorer(references, estimates).scores((1500, 4000), [(1500, 4000)])
    assert_museval(scores, references[:, 1500:4000], estimates[:, 1500:4000], np.inf, np.inf, False, LAGS)


def test_windows_within_a_stretch() -> None:
    references, estimates = signals((2, 6000, 1))
    scores = scorer(references, estimates).scores((1000, 4000), [(1000, 2000), (2000, 3000)])
    whole = scorer(references[:, 1000:4000], estimates[:, 1000:4000]).scores((0, 3000), [(0, 1000), (1000, 2000)])
    assert_same(scores, whole)


def test_strict_gives_up_where_rounding_decides() -> None:
    references, _ = signals((2, 3000, 1))
    assert scorer(references, references).scores((0, 3000), [(0, 3000)]) is None
    assert scorer(references, references, strict=False).scores((0, 3000), [(0, 3000)]) is not None


def test_silence_is_an_error_or_nan() -> None:
    references, estimates = signals((2, 3000, 1))
    references[0, :1000] = 0
    with pytest.raises(ValueError, match=r"references\[0\] is silent"):
        scorer(references, estimates).scores((0, 1000), [(0, 1000)])
    scores = scorer(references, estimates).scores((0, 1000), [(0, 1000)], silence=True)
    assert scores is not None
    assert np.isnan(scores[:4]).all()


def test_windows_scored_one_by_one_stand_side_by_side() -> None:
    references, estimates = signals((2, 3000, 1))
    one = scorer(references, estimates)
    parts = [one.scores(span, [span]) for span in ((0, 1500), (1500, 3000))]
    both = joined(part for part in parts if part is not None)
    assert [part.shape for part in both] == [(2, 2)] * 5
