"""Energy ratios of a whole track: SNR, SDR as the MDX challenge has it, and the gain over the mixture.

Conventions: estimates and references are (S, C, T), the result is (S,) in dB. Energies are sums over all channels and
samples. Infinite or NaN where nothing is left to compare.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from msbench.metrics.products import Products, decibels

DELTA = 1e-7


def snr(estimates: Any, references: Any) -> np.ndarray:
    """Signal-to-noise ratio, 10 log10(|s|^2 / |s - s'|^2); NaN where the reference s is silent.

    Raises:
        ValueError: If the shapes differ or a sample is not finite.

    >>> snr([[[0.9, 0.9]]], [[[1.0, 1.0]]]).round(6).tolist()
    [20.0]
    """
    return snr_of(Products.of(estimates, references))


def track_sdr(estimates: Any, references: Any) -> np.ndarray:
    """SDR of a whole track, "nSDR" in the Music Demixing Challenge (Mitsufuji et al. 2022).

    10 log10((|s|^2 + d) / (|s - s'|^2 + d)), d = 1e-7, full scale at one. NaN where the reference s is silent: the
    value would be d's.

    Raises:
        ValueError: If the shapes differ or a sample is not finite.
    """
    return track_sdr_of(Products.of(estimates, references))


def nsdr(estimates: Any, references: Any, mixture: Any) -> np.ndarray:
    """Normalized SDR, the gain over the mixture x as an estimate: SDR(s', s) - SDR(x, s), with `track_sdr` as SDR.

    The paper (Jansson et al. 2017) has mir_eval's SDR of BSSEval v3 there, which costs another BSSEval of
    every track; the numbers are not those of its tables. BSSEval's gain over the mixture is a difference of records.

    Args:
        estimates: (S, C, T).
        references: (S, C, T).
        mixture: (1, C, T).

    Raises:
        ValueError: If the shapes do not fit or a sample is not finite.
    """
    return nsdr_of(Products.of(estimates, references, mixture))


def snr_of(products: Products) -> np.ndarray:
    """`snr` from inner products."""
    return np.where(products.levels > 0, decibels(products.levels, products.errors), np.nan)


def track_sdr_of(products: Products) -> np.ndarray:
    """`track_sdr` from inner products."""
    return np.where(products.levels > 0, decibels(products.levels + DELTA, products.errors + DELTA), np.nan)


def nsdr_of(products: Products) -> np.ndarray:
    """`nsdr` from inner products."""
    gain = decibels(products.mixture_errors + DELTA, products.errors + DELTA)  # what the two SDRs share cancels
    return np.where(products.levels > 0, gain, np.nan)
