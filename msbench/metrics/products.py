"""Inner products of the errors and the references of a track: all that the energy ratios need.

An error is estimate - reference; what the mixture would be wrong by, as an estimate, is mixture - reference. Both are
subtracted sample by sample, before they are squared: the difference of two energies would have no digits left where an
estimate, or the mixture, is nearly the reference. Channels and samples are summed together: a stereo signal is one
vector, with one gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from msbench.metrics.signals import BLOCK_SAMPLES, blocks, checked, readable

ROUNDING = 1e-13  # below this part of its terms, a difference of energies is what rounding left of it


@dataclass(kw_only=True)
class Products:
    """Sums over all samples of a track.

    Attributes:
        references: (S, S), of references with references.
        crossed: (S, S), of the error of the one (row) with the reference of the other (column).
        errors: (S,), energies of the errors.
        estimates_crossed: (S, S), as `crossed`, of the estimates in place of their errors.
        estimates: (S,), energies of the estimates.
        mixture_errors: (S,), energies of mixture - reference; NaN where no mixture was given.
        silent_estimates: (S,), which of them have channels that sum to zero at every sample: silence to BSSEval.
        silent_references: (S,), the same of the references.
    """

    references: np.ndarray
    crossed: np.ndarray
    errors: np.ndarray
    estimates_crossed: np.ndarray
    estimates: np.ndarray
    mixture_errors: np.ndarray
    silent_estimates: np.ndarray
    silent_references: np.ndarray

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
        totals = cls._zero(sources, with_mixture=mixture is not None)
        memory = np.empty((3 * sources + 1) * channels * min(BLOCK_SAMPLES, length))  # used over and over
        for start in range(0, length, BLOCK_SAMPLES):
            block = np.s_[..., start : start + BLOCK_SAMPLES]
            part = None if mixture is None else np.asarray(mixture[block])
            totals._add(np.asarray(estimates[block]), np.asarray(references[block]), part, memory)
            energies = [
                totals.levels,
                totals.errors,
                totals.estimates,
                *([] if mixture is None else [totals.mixture_errors]),
            ]
            if not np.isfinite(energies).all():  # one NaN or infinity stays in a sum
                _refuse(estimates=estimates, references=references, mixture=mixture)
        return totals

    @classmethod
    def _zero(cls, sources: int, with_mixture: bool) -> Products:
        """Of no sample yet."""
        return cls(
            references=np.zeros((sources, sources)),
            crossed=np.zeros((sources, sources)),
            errors=np.zeros(sources),
            estimates_crossed=np.zeros((sources, sources)),
            estimates=np.zeros(sources),
            mixture_errors=np.full(sources, 0.0 if with_mixture else np.nan),
            silent_estimates=np.ones(sources, bool),
            silent_references=np.ones(sources, bool),
        )

    def _add(
        self, estimates: np.ndarray, references: np.ndarray, mixture: np.ndarray | None, memory: np.ndarray
    ) -> None:
        """Add a block, (S, C, n) twice and (1, C, n); `memory` has room for 3 S + 1 of its signals as float64."""
        self.silent_estimates = _still_silent(self.silent_estimates, estimates)
        self.silent_references = _still_silent(self.silent_references, references)
        sources, size = len(references), references[0].size
        block = memory[: (3 * sources + 1) * size].reshape(-1, *references.shape[1:])
        exact, given, errors, mixture_error = np.split(block, [sources, 2 * sources, 3 * sources])
        flat_exact, flat_given, flat_errors = (part.reshape(sources, size) for part in (exact, given, errors))
        exact[:], given[:] = references, estimates
        with np.errstate(over="ignore", invalid="ignore"):  # the energies tell
            np.subtract(given, exact, out=errors)
            self.references += flat_exact @ flat_exact.T
            self.crossed += flat_errors @ flat_exact.T
            self.errors += np.einsum("ij,ij->i", flat_errors, flat_errors)
            self.estimates_crossed += flat_given @ flat_exact.T
            self.estimates += np.einsum("ij,ij->i", flat_given, flat_given)
            if mixture is not None:
                for source, reference in enumerate(exact):
                    np.subtract(mixture[0], reference, out=mixture_error[0])
                    self.mixture_errors[source] += np.einsum("ijk,ijk->", mixture_error, mixture_error)

    @property
    def levels(self) -> np.ndarray:
        """(S,), the energies of the references."""
        return np.diagonal(self.references)


def _still_silent(silent: np.ndarray, signals: np.ndarray) -> np.ndarray:
    """Which of (S, C, n) sum to zero here too, over their channels; the first block tells of nearly all."""
    return silent & ~signals.sum(axis=1).any(axis=-1) if silent.any() else silent


def _refuse(**signals: Any) -> None:
    """Say where a sample is not finite."""
    for name, part in signals.items():
        for _ in blocks(part, name=name) if part is not None else ():
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
