"""Inner products of the errors and the references of a track: all that the energy ratios need.

An error is estimate - reference. Products with errors, rather than with estimates, keep their digits where an estimate
is nearly perfect. Channels and samples are summed together: a stereo signal is one vector, with one gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from msbench.metrics.signals import BLOCK_SAMPLES, blocks, checked, readable

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
        given = {"estimates": estimates, "references": references, **({} if mixture is None else {"mixture": mixture})}
        silent = np.ones((2, sources), bool)
        sums, energies = np.zeros((2 * sources + 1, sources)), np.zeros(2 * sources + 1)
        memory = np.zeros(len(energies) * channels * min(BLOCK_SAMPLES, length))  # used over and over
        for start in range(0, length, BLOCK_SAMPLES):
            parts = [np.asarray(signals[..., start : start + BLOCK_SAMPLES]) for signals in given.values()]
            for kind in np.flatnonzero(silent.any(axis=1)):  # the first block tells, nearly always
                silent[kind] &= ~parts[kind].sum(axis=1).any(axis=-1)
            block = memory[: len(energies) * parts[0][0].size].reshape(-1, *parts[0].shape[1:])
            with np.errstate(over="ignore", invalid="ignore"):  # the energies tell
                block[:sources] = parts[1]
                np.subtract(parts[0], parts[1], out=block[sources:-1], dtype=np.float64)
                block[-1:] = parts[2] if mixture is not None else 0
                flat = block.reshape(len(energies), -1)
                sums += flat @ flat[:sources].T
                energies += np.einsum("ij,ij->i", flat, flat)
            if not np.isfinite(energies).all():
                _refuse(given)
        levels = energies[:sources]
        mixture_errors = np.maximum(energies[-1] - 2 * sums[-1] + levels, 0) if mixture is not None else levels * np.nan
        return cls(sums[:sources], sums[sources:-1], energies[sources:-1], mixture_errors, silent)

    @property
    def levels(self) -> np.ndarray:
        """(S,), the energies of the references."""
        return np.diagonal(self.references)

    @property
    def own(self) -> np.ndarray:
        """(S,), the products of each error with its own reference."""
        return np.diagonal(self.crossed)


def _refuse(signals: dict[str, Any]) -> None:
    """Say where a sample is not finite."""
    for name, part in signals.items():
        for _ in blocks(part, name=name):
            pass
    raise ValueError("the samples are too large to be squared in double precision: a full scale is one")


def difference(whole: np.ndarray, part: np.ndarray) -> np.ndarray:
    """whole - part, energies both, or 0 where that is rounding alone."""
    left = whole - part
    return np.where(left > ROUNDING * whole, left, 0.0)


def decibels(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """10 log10(signal / noise): infinite where one of them is zero, NaN where both are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * (np.log10(signal) - np.log10(noise)))
