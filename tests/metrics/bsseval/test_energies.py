"""The energies that are compared, in closed form and at any level."""

from __future__ import annotations

import numpy as np
import pytest

from msbench.metrics import bss_eval
from tests.metrics.bsseval.examples import assert_museval, signals


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("level", [1e-9, 1e-3, 1e3, 1e60])
def test_any_level(level: float) -> None:
    references, estimates = (level * part for part in signals((2, 6000, 2)))
    assert_museval(
        bss_eval(references, estimates, 2000, 2000, filters_len=32), references, estimates, 2000, 2000, False, 32
    )


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("decibels", [40, 80, 110])
def test_good_estimates_lose_no_digits(decibels: float) -> None:
    references, _ = signals((2, 6000, 2))
    estimates = references + 10 ** (-decibels / 20) * signals((2, 6000, 2), seed=1)[0]
    assert_museval(
        bss_eval(references, estimates, 2000, 2000, filters_len=32), references, estimates, 2000, 2000, False, 32
    )


def test_orthogonal_parts_have_known_ratios() -> None:
    """With cosines of whole periods and one tap, target, interference and artifacts are orthogonal."""
    time = np.arange(4800) / 4800
    tones = [np.cos(2 * np.pi * f * time)[:, None] for f in (100, 230, 370)]
    target, other, artifact = tones
    estimates = np.stack([target + 0.1 * other + 0.01 * artifact, other + 0.02 * target])
    sdr, isr, sir, sar, _ = bss_eval(np.stack([target, other]), estimates, 4800, 4800, filters_len=1, strict=False)
    assert sdr[0, 0] == pytest.approx(10 * np.log10(1 / (0.1**2 + 0.01**2)), abs=1e-9)
    assert sir[:, 0] == pytest.approx([20, 20 * np.log10(50)], abs=1e-9)
    assert sar[0, 0] == pytest.approx(10 * np.log10(1.01 / 0.01**2), abs=1e-9)
    assert isr[0, 0] > 200


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_gain_is_a_spatial_error_alone(gain: float) -> None:
    references, _ = signals((2, 4000, 1))
    sdr, isr, sir, _, _ = bss_eval(references, gain * references, 4000, 4000, filters_len=4, strict=False)
    expected = -20 * np.log10(abs(1 - gain))
    assert sdr == pytest.approx(np.full((2, 1), expected), abs=1e-9)
    assert isr == pytest.approx(np.full((2, 1), expected), abs=1e-9)
    assert (sir > 200).all()
