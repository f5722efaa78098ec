"""Inner products: digits are kept, and there is no ratio where nothing is left to compare."""

from __future__ import annotations

import numpy as np
import pytest

from msbench.metrics.ratios import nsdr, snr
from msbench.metrics.scale_invariant import si_sar, si_sdr, si_sir
from tests.metrics.examples import RATIOS, signals, tone


@pytest.mark.parametrize("decibels", [60, 120, 200])
def test_good_estimates_lose_no_digits(decibels: float) -> None:
    references = np.stack([tone(100), tone(230)])[:, None]
    estimates = references + 10 ** (-decibels / 20) * tone(370)
    for metric in (snr, si_sdr, si_sar):
        assert metric(estimates, references) == pytest.approx([decibels] * 2, abs=1e-3)


@pytest.mark.parametrize("level", [0, 1e-9, 1e-6])
def test_a_mixture_that_is_nearly_the_reference_loses_no_digits(level: float) -> None:
    rng = np.random.default_rng(0)
    references = 0.5 * rng.standard_normal((2, 1, 400_000)) * np.array([1, level])[:, None, None]
    mixture = references.sum(axis=0, keepdims=True)
    estimates = references + 1e-3 * rng.standard_normal(references.shape)
    errors = [np.sum((signal - references[0]) ** 2) for signal in (mixture[0], estimates[0])]
    expected = 10 * np.log10((errors[0] + 1e-7) / (errors[1] + 1e-7))
    assert nsdr(estimates, references, mixture)[0] == pytest.approx(expected, abs=1e-9)


def test_where_there_is_no_ratio() -> None:
    estimates, references = signals()
    for metric in (snr, si_sdr, si_sir, si_sar):
        assert np.isposinf(metric(references, references)).all()
    assert np.isposinf(si_sdr(0.5 * references, references)).all()
    assert np.isneginf(si_sdr(np.stack([[tone(100)]]), np.stack([[tone(230)]]))).all()
    assert np.isnan(si_sdr(0 * estimates, references)).all()
    np.testing.assert_allclose(snr(0 * estimates, references), 0, atol=1e-12)
    references[1] = 0
    for metric in RATIOS:
        values = metric(estimates, references)
        assert np.isnan(values).tolist() == [False, True, False]
        assert np.isfinite(values[[0, 2]]).all()


def test_samples_too_large_to_square() -> None:
    estimates, references = signals((2, 1, 1000))
    with pytest.raises(ValueError, match="too large to be squared"):
        snr(1e200 * estimates, references)


def test_a_mixture_of_another_shape() -> None:
    estimates, references = signals((2, 1, 1000))
    with pytest.raises(ValueError, match=r"the mixture must be \(1, 1, 1000\), not \(1, 1, 999\)"):
        nsdr(estimates, references, references[:1, :, 1:])


def test_a_mixture_that_is_not_finite() -> None:
    estimates, references = signals((2, 1, 1000))
    mixture = references.sum(axis=0, keepdims=True)
    mixture[0, 0, 40] = np.nan
    with pytest.raises(ValueError, match=r"mixture\[0\] holds NaN or infinity at sample 40"):
        nsdr(estimates, references, mixture)
