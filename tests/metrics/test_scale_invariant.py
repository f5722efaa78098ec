"""SI-SDR, SI-SIR and SI-SAR against other implementations, the paper and closed forms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from msbench.metrics.ratios import snr
from msbench.metrics.scale_invariant import si_sar, si_sdr, si_sir
from tests.metrics.examples import signals, tone
from tests.requirements import peer


def test_snr_and_si_sdr_are_asteroids_and_torchmetrics() -> None:
    asteroid = peer("asteroid.losses")
    from torchmetrics.functional import scale_invariant_signal_distortion_ratio, signal_noise_ratio

    estimates, references = signals()
    flat = [torch.from_numpy(part.reshape(3, -1)) for part in (estimates, references)]
    for ours, asteroids, torchmetrics in (
        (snr, asteroid.singlesrc_neg_snr, signal_noise_ratio),
        (si_sdr, asteroid.singlesrc_neg_sisdr, scale_invariant_signal_distortion_ratio),
    ):
        expected = torchmetrics(*flat, zero_mean=False)
        np.testing.assert_allclose(ours(estimates, references), expected, atol=1e-9)
        # asteroid takes the mean off, and adds 1e-8 here and there
        centred = [part - part.mean(axis=2, keepdims=True) for part in (estimates, references)]
        mono = [part[:, :1] for part in centred]
        expected = -asteroids(*(torch.from_numpy(part[:, 0]) for part in mono))
        np.testing.assert_allclose(ours(*mono), expected, atol=1e-6)


def test_si_sir_and_si_sar_follow_the_papers_projections() -> None:
    estimates, references = signals()
    matrix = references.reshape(3, -1)
    for i, estimate in enumerate(estimates.reshape(3, -1)):
        target = estimate @ matrix[i] / (matrix[i] @ matrix[i]) * matrix[i]
        projected = matrix.T @ np.linalg.lstsq(matrix.T, estimate)[0]
        for ours, noise in ((si_sir, projected - target), (si_sar, estimate - projected)):
            expected = 10 * np.log10((target @ target) / (noise @ noise))
            assert ours(estimates, references)[i] == pytest.approx(expected, abs=1e-9)


def test_orthogonal_parts_have_known_ratios() -> None:
    target, other, artifact = (tone(f) for f in (100, 230, 370))
    estimates = np.stack([target + 0.1 * other + 0.01 * artifact, other + 0.02 * target])[:, None]
    references = np.stack([target, other])[:, None]
    assert si_sir(estimates, references) == pytest.approx([20, 20 * np.log10(50)], abs=1e-9)
    assert si_sar(estimates, references)[0] == pytest.approx(40, abs=1e-9)
    assert si_sdr(estimates, references)[0] == pytest.approx(-10 * np.log10(0.1**2 + 0.01**2), abs=1e-9)
    assert snr(estimates, references)[0] == pytest.approx(-10 * np.log10(0.1**2 + 0.01**2), abs=1e-9)


@pytest.mark.parametrize("metric", [si_sdr, si_sir, si_sar])
def test_a_gain_or_the_order_of_channels_makes_no_difference(metric: Callable[..., np.ndarray]) -> None:
    estimates, references = signals()
    expected = metric(estimates, references)
    np.testing.assert_allclose(metric(-300 * estimates, references), expected, atol=1e-9)
    np.testing.assert_allclose(metric(1e-8 * estimates, references), expected, atol=1e-9)
    np.testing.assert_allclose(metric(estimates[:, ::-1], 1e-3 * references[:, ::-1]), expected, atol=1e-9)


def test_a_stem_twice_spans_what_it_spans_once() -> None:
    estimates, references = signals()
    twice = [np.concatenate([part, part[:1]]) for part in (estimates, references)]
    np.testing.assert_allclose(si_sar(*twice)[:3], si_sar(estimates, references), atol=1e-9)
