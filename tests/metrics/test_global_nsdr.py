"""GNSDR against museval's own BSSEval v3, source by source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from msbench.metrics import gnsdr
from msbench.metrics.bsseval.museval import museval_metrics
from tests.metrics.examples import Reader, signals


def theirs(estimates: np.ndarray, references: np.ndarray, mixture: np.ndarray) -> Any:
    """As BSS_3_EVAL.m calls it: the sources together, the mixture against each source alone."""
    evaluate = museval_metrics().bss_eval_sources
    sdr = evaluate(references[:, 0], estimates[:, 0], compute_permutation=False)[0][:, 0]
    return sdr - [
        museval_metrics().bss_eval_images(reference, mixture[0], compute_permutation=False)[3][0, 0]
        for reference in references
    ]


def test_it_is_the_gain_of_bss_eval_sources() -> None:
    estimates, references = signals((2, 1, 16000))
    mixture = references.sum(axis=0, keepdims=True)
    found = gnsdr(Reader(estimates), Reader(references), Reader(mixture))
    np.testing.assert_allclose(found, theirs(estimates, references, mixture), atol=1e-6, rtol=0)
    assert found[0] > 5
    # of BSSEval, so a filter of the reference is no error; of the mean over channels
    louder = np.concatenate([estimates, estimates], axis=1) * np.array([[[0.2], [0.6]]])
    stereo = [np.concatenate([each, each], axis=1) for each in (references, mixture)]
    np.testing.assert_allclose(gnsdr(louder, *stereo), found, atol=1e-6, rtol=0)


def test_what_is_silent_has_none() -> None:
    estimates, references = signals((2, 1, 4000))
    mixture = references.sum(axis=0, keepdims=True)
    assert np.isnan(gnsdr(estimates * [[[0]], [[1]]], references, mixture)).tolist() == [True, False]
    assert np.isnan(gnsdr(estimates, references * [[[1]], [[0]]], mixture)).tolist() == [False, True]
    with pytest.raises(ValueError, match="differ in shape"):
        gnsdr(estimates[:, :, 1:], references, mixture)
