"""What metrics take: arrays, tensors and readers alike; bad input is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from msbench.metrics.perceptual import pesq, stoi
from msbench.metrics.spectral import l1_spectrogram
from tests.metrics.examples import RATIOS, Reader, signals


@pytest.mark.parametrize("metric", [*RATIOS, l1_spectrogram])
def test_readers_lists_and_tensors_give_the_numbers_of_arrays(metric: Callable[..., np.ndarray]) -> None:
    estimates, references = signals((2, 1, 100_000))
    expected = metric(estimates, references)
    readers = Reader(estimates), Reader(references)
    np.testing.assert_array_equal(metric(*readers), expected)
    assert readers[0].longest < 70_000
    np.testing.assert_array_equal(metric(torch.from_numpy(estimates), references.tolist()), expected)


@pytest.mark.parametrize(
    "metric", [*RATIOS, l1_spectrogram, lambda e, r: stoi(e, r, 8000), lambda e, r: pesq(e, r, 8000)]
)
def test_bad_input_is_said_in_one_sentence(metric: Callable[..., np.ndarray]) -> None:
    estimates, references = signals((2, 1, 1000))
    with pytest.raises(ValueError, match=r"differ in shape: \(2, 1, 999\) and \(2, 1, 1000\)"):
        metric(estimates[..., 1:], references)
    with pytest.raises(
        ValueError, match=r"must be \(source, channel, time\) with at least one sample, not \(2, 1000\)"
    ):
        metric(estimates[:, 0], references[:, 0])
    with pytest.raises(ValueError, match=r"at least one sample, not \(2, 1, 0\)"):
        metric(estimates[..., :0], references[..., :0])
    estimates[1, 0, 700] = np.nan
    with pytest.raises(ValueError, match=r"estimates\[1\] holds NaN or infinity at sample 700"):
        metric(estimates, references)
    references[0, 0, 5] = np.inf
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        metric(references, references)
