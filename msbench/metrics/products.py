"""Inner products of the errors and the references of a track: all that the energy ratios beside BSSEval need.

An error is estimate - reference. Products with errors, rather than with estimates, keep their digits where an estimate
is nearly perfect. Channels and samples are summed together: a stereo signal is one vector, with one gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from msbench.metrics.signals import blocks, checked, pairs, readable

ROUNDING = 1e-13  # below this part of its terms, a difference of energies is what rounding left of it


@dataclass
class Products:
    """Sums over all samples of a track.

    Attributes:
        references: (S, S), of references with references.
        crossed: (S, S), of the error of the one (row) with the reference of the other (column).
        errors: (S,), energies of the errors.
        mixture_errors: (S,), energies of mixture - reference; NaN where no mixture was given.
        silent: (2, S), which estimates and which references have channels that sum to zero at every sample, which is
            silence to BSSEval.
    """

    references: np.ndarray
    crossed: np.ndarray
    errors: np.ndarray
    mixture_errors: np.ndarray
    silent: np.ndarray

    @classmethod
    def of(cls, estimates: Any, references: Any, mixture: Any = None) -> Products:
        """Read a track once.

        Args:
            estimates: (S, C, T), see `msbench.metrics.signals`.
            references: The same.
            mixture: (1, C, T), where `mixture_errors` are wanted.

        Raises:
            ValueError: If the shapes do not fit or a sample is not finite.
        """
        estimates, references = checked(estimates, references)
        mixture = None if mixture is None else readable(mixture)
        sources, channels, length = references.shape
        if mixture is not None and tuple(mixture.shape) != (1, channels, length):
            raise ValueError(f"the mixture must be (1, {channels}, {length}), not {tuple(mixture.shape)}")
        sums = np.zeros((2 * sources, sources))
        errors, mixture_errors = np.zeros((2, sources))
        silent = np.ones((2, sources), bool)
        mixtures = blocks(mixture, name="mixture") if mixture is not None else None
        for estimate, reference in pairs(estimates, references):
            for kind, signals in enumerate((estimate, reference)):
                silent[kind] &= ~signals.sum(axis=1).any(axis=-1)
            error, flat = estimate - reference, reference.reshape(sources, -1)
            sums += np.concatenate([reference, error]).reshape(2 * sources, -1) @ flat.T
            errors += np.einsum("sct,sct->s", error, error)
            if mixtures is not None:
                rest = next(mixtures) - reference
                mixture_errors += np.einsum("sct,sct->s", rest, rest)
        if mixtures is None:
            mixture_errors[:] = np.nan
        return cls(sums[:sources], sums[sources:], errors, mixture_errors, silent)

    @property
    def levels(self) -> np.ndarray:
        """(S,), the energies of the references."""
        return np.diagonal(self.references)

    @property
    def own(self) -> np.ndarray:
        """(S,), the products of each error with its own reference."""
        return np.diagonal(self.crossed)


def difference(whole: np.ndarray, part: np.ndarray) -> np.ndarray:
    """whole - part, energies both, or 0 where that is rounding alone."""
    left = whole - part
    return np.where(left > ROUNDING * whole, left, 0.0)


def decibels(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """10 log10(signal / noise): infinite where one of them is nought, NaN where both are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * (np.log10(signal) - np.log10(noise)))
