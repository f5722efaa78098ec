"""SI-SDR, SI-SIR and SI-SAR: ratios that do not depend on the gain of an estimate.

Conventions: estimates and references are (S, C, T), the result is (S,) in dB, NaN where the reference or the estimate
is silent. One gain for all channels of a stem: a changed panorama is an error. No mean is taken off the signals.

With P the orthogonal projection on the references, an estimate s' of s is a sum of orthogonal parts

    s' = a s + e_interf + e_artif,  a = <s', s> / |s|^2,  e_interf = P s' - a s,  e_artif = s' - P s'

References:
    J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey, "SDR - half-baked or well done?", ICASSP 2019 (arXiv 2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from msbench.metrics.products import ROUNDING, Products, decibels, difference

SINGULAR = 1e-10  # references (at unit level) whose difference has less energy than that are one


def si_sdr(estimates: Any, references: Any) -> np.ndarray:
    """Scale-invariant SDR, 10 log10(|a s|^2 / |s' - a s|^2) (Le Roux et al. 2019).

    Raises:
        ValueError: If the shapes differ or a sample is not finite.

    >>> si_sdr(np.array([[[2.0, 0.2]]]), np.array([[[1.0, 0.0]]])).round(6).tolist()
    [20.0]
    """
    return si_sdr_of(Products.of(estimates, references))


def si_sir(estimates: Any, references: Any) -> np.ndarray:
    """Scale-invariant SIR, 10 log10(|a s|^2 / |e_interf|^2) (Le Roux et al. 2019).

    Raises:
        ValueError: If the shapes differ or a sample is not finite.
    """
    return si_sir_of(Products.of(estimates, references))


def si_sar(estimates: Any, references: Any) -> np.ndarray:
    """Scale-invariant SAR, 10 log10(|a s|^2 / |e_artif|^2) (Le Roux et al. 2019).

    Raises:
        ValueError: If the shapes differ or a sample is not finite.
    """
    return si_sar_of(Products.of(estimates, references))


def si_sdr_of(products: Products) -> np.ndarray:
    """`si_sdr` from inner products."""
    energies, crossed = _smaller(products)
    return decibels(_signal(products), difference(energies, _along(products, crossed)))


def si_sir_of(products: Products) -> np.ndarray:
    """`si_sir` from inner products."""
    _, crossed = _smaller(products)
    return decibels(_signal(products), difference(_projected(products, crossed), _along(products, crossed)))


def si_sar_of(products: Products) -> np.ndarray:
    """`si_sar` from inner products."""
    energies, crossed = _smaller(products)
    return decibels(_signal(products), difference(energies, _projected(products, crossed)))


def _smaller(products: Products) -> tuple[np.ndarray, np.ndarray]:
    """Of each source its error or its estimate, the one with less energy: (S,) energies, (S, S) with the references.

    The two differ by the reference, so that their parts orthogonal to it are the same. In the energy of the larger
    one, those of a nearly perfect estimate, or of a faint one, would be lost in rounding.
    """
    faint = products.estimates < products.errors
    crossed = np.where(faint[:, None], products.estimates_crossed, products.crossed)
    return np.where(faint, products.estimates, products.errors), crossed


def _signal(products: Products) -> np.ndarray:
    """|a s|^2, (S,), NaN where s is silent."""
    levels = np.where(products.levels > 0, products.levels, np.nan)
    signal = np.diagonal(products.estimates_crossed) ** 2 / levels
    signal[signal < ROUNDING**2 * products.estimates] = 0  # orthogonal, but for what rounding left
    return signal


def _along(products: Products, crossed: np.ndarray) -> np.ndarray:
    """(S,), the energy along each source's own reference, NaN where that is silent."""
    return np.diagonal(crossed) ** 2 / np.where(products.levels > 0, products.levels, np.nan)


def _projected(products: Products, crossed: np.ndarray) -> np.ndarray:
    """(S,), the energy of the projections on the references, silent ones left out."""
    sounding = np.flatnonzero(products.levels > 0)
    scale = np.sqrt(products.levels[sounding])
    matrix = products.references[np.ix_(sounding, sounding)] / np.outer(scale, scale)
    right = crossed[:, sounding] / scale  # (S, sounding)
    values, vectors = np.linalg.eigh(matrix)
    kept = values > SINGULAR  # a stem twice spans what it spans once
    return np.asarray(((right @ vectors[:, kept]) ** 2 / values[kept]).sum(axis=1))
