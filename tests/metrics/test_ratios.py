"""The energy ratios of a whole track, against the challenge's formula."""

from __future__ import annotations

from typing import Any

import numpy as np

from msbench.metrics.ratios import nsdr, track_sdr
from tests.metrics.examples import signals


def test_whole_track_sdr_and_its_gain_are_the_challenges_formula() -> None:
    estimates, references = signals()
    mixture = references.sum(axis=0, keepdims=True)

    def mdx(estimate: np.ndarray, reference: np.ndarray) -> Any:
        num = np.sum(np.square(reference), axis=(1, 2)) + 1e-7
        return 10 * np.log10(num / (np.sum(np.square(reference - estimate), axis=(1, 2)) + 1e-7))

    np.testing.assert_allclose(track_sdr(estimates, references), mdx(estimates, references), atol=1e-9)
    gain = mdx(estimates, references) - mdx(mixture, references)
    np.testing.assert_allclose(nsdr(estimates, references, mixture), gain, atol=1e-9)
    np.testing.assert_allclose(nsdr(mixture.repeat(3, 0), references, mixture), 0, atol=1e-9)
