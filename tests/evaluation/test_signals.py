"""Signals that are read where they are sliced."""

from __future__ import annotations

import numpy as np

from msbench.evaluation.signals import Signals


def test_the_rest_is_what_the_sources_leave() -> None:
    sources = np.random.default_rng(0).standard_normal((2, 1, 100)).astype(np.float32)
    mixture = np.ones((1, 1, 100), np.float32)
    signals = Signals((2, 1, 100), lambda a, b: sources[..., a:b], ["one", "two"], 10, lambda a, b: mixture[..., a:b])
    assert signals.shape == (3, 1, 100)
    np.testing.assert_allclose(signals[..., 20:40].sum(axis=0), 1, atol=1e-6)
