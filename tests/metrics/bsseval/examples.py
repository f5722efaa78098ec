"""Signals for the tests of BSSEval, and museval's scores of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from msbench.metrics.bsseval.museval import museval_metrics

BAR_DB = 1e-6


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def assert_museval(scores: Any, references: Any, estimates: Any, *arguments: Any) -> None:
    """Same NaN and infinities as museval's own, within the bar elsewhere, same permutation."""
    with np.errstate(all="ignore"):
        expected = museval_metrics().bss_eval(references, estimates, *arguments)
    np.testing.assert_array_equal(scores[4], expected[4])
    for value, wanted in zip(scores[:4], expected[:4], strict=True):
        np.testing.assert_allclose(value, wanted, rtol=0, atol=BAR_DB)


def signals(shape: tuple[int, int, int], seed: int = 0, leak: float = 0.1, noise: float = 0.02) -> Any:
    """References of 16 bits and estimates that leak and are noisy."""
    rng = np.random.default_rng(seed)
    references = np.round(0.1 * rng.standard_normal(shape) * 32768) / 32768
    delayed = np.roll(references, 2, axis=1)
    estimates = 0.8 * references + 0.1 * delayed + leak * np.roll(references, 1, axis=0)
    return references, estimates + noise * rng.standard_normal(shape)
