"""The energies that BSSEval compares, window by window, without making a filtered signal.

A filtered sum ``y = sum over i of f_i * x_i`` has the energy ``sum over i, j, k of c_ij[k] h_ij[k]``, where c are the
correlations of the x and h those of the filters. With the correlations of a window known, an energy is a dot product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import scipy.fft

from msbench.metrics.bsseval.correlation import Correlator, Stretch, flatten
from msbench.metrics.bsseval.projection import Filters

# |estimate - target|^2, |spatial - target|^2, |spatial|^2, |everything - spatial|^2, |everything|^2 and
# |estimate - everything|^2, where target is the reference; spatial and everything are its two projections. With a
# "filtered target" (BSSEval v2's bss_eval_sources), the first is |estimate - spatial|^2.
FORMS = ("error", "spatial_error", "spatial", "interference", "everything", "artifacts")
WITH_ESTIMATE = (0, 5)
BATCH = 16  # windows at a time
CANCELLED = 3e-7  # below this part of its terms, a dot product has lost digits that 1e-6 dB needs
PIECE = 2**16  # samples of a window that are filtered at once, where the dot product does not do


@dataclass
class Energies:
    """Energies of W windows for P pairs of a reference and an estimate.

    Attributes:
        target: (W, P), of the reference.
        values: (W, P, 6), in the order of FORMS.
        changes: (W, P, 6), what rounding in the filters adds to them.
        terms: (W, P, 6), the size of the terms that make them up.
        silent: (W,), windows where any source is silent.
    """

    target: np.ndarray
    values: np.ndarray
    changes: np.ndarray
    terms: np.ndarray
    silent: np.ndarray

    @property
    def cancelled(self) -> np.ndarray:
        """(W, P): where a value is too small next to its terms to be known well."""
        lost = (self.values < CANCELLED * self.terms).any(axis=2)
        return lost & ~self.silent[:, None]


def window_energies(
    windows: Iterable[Stretch],
    filters: Filters,
    noise: Filters,
    pairs: list[tuple[int, int]],
    channels: int,
    filtered_target: bool,
) -> Energies:
    """The energies of windows, from their correlations."""
    every = [energy_weights(filters, noise, pair, channels, filtered_target) for pair in pairs]
    weights = np.stack(every)  # (P, 2, 6, R, R + E, lags)
    sizes = np.sqrt(np.einsum("pfijk,pfijk->pfij", weights[:, 0], weights[:, 0]))
    columns = weights.reshape(-1, weights[0, 0, 0].size).T
    inputs = sizes.shape[2]
    targets = [slice(j * channels, (j + 1) * channels) for j, _ in pairs]
    theirs = [slice(inputs + e * channels, inputs + (e + 1) * channels) for _, e in pairs]
    rows = np.empty((BATCH, len(columns)))
    parts = []
    for batch in _batches(windows):
        for row, window in zip(rows, batch, strict=False):
            row[:] = window.correlations.ravel()
        energies = np.stack([window.energies for window in batch])
        products = (rows[: len(batch)] @ columns).reshape(len(batch), len(pairs), 2, len(FORMS))
        values, changes = products[:, :, 0], products[:, :, 1]
        levels = np.sqrt(energies)
        terms = np.einsum("pfij,wi,wj->wpf", sizes, levels[:, :inputs], levels)
        estimate = np.stack([energies[:, channel].sum(axis=1) for channel in theirs], axis=1)
        for form in WITH_ESTIMATE:
            values[..., form] += estimate
            terms[..., form] += estimate
        target = np.stack([energies[:, channel].sum(axis=1) for channel in targets], axis=1)
        parts.append((target, values, changes, terms, np.array([window.silent.any() for window in batch])))
    return Energies(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def energy_weights(
    filters: Filters, noise: Filters, pair: tuple[int, int], channels: int, filtered_target: bool
) -> np.ndarray:
    """(2, 6, R, R + E, lags): the sums of [0] with correlations are the energies in FORMS, of [1] their changes.

    The energy of the estimate itself is still to be added to "error" and "artifacts".
    """
    inputs, lags, outputs = filters.everything.shape
    j, e = pair
    own = slice(j * channels, (j + 1) * channels)
    theirs = slice(e * channels, (e + 1) * channels)
    target, spatial, spatial_change = np.zeros((3, inputs, lags, channels))
    target[own, 0] = np.eye(channels)
    spatial[own], spatial_change[own] = filters.spatial[pair], noise.spatial[pair]
    everything, change = filters.everything[..., theirs], noise.everything[..., theirs]
    aim, aim_change = (spatial, spatial_change) if filtered_target else (target, np.zeros_like(target))
    kernels = (
        (aim, aim_change),
        (spatial - target, spatial_change),
        (spatial, spatial_change),
        (everything - spatial, change - spatial_change),
        (everything, change),
        (everything, change),
    )
    weights = np.zeros((2, len(FORMS), inputs, inputs + outputs, lags))
    for form, (kernel, its_change) in enumerate(kernels):
        weights[0, form, :, :inputs] = filter_products(kernel, kernel)
        weights[1, form, :, :inputs] = 2 * filter_products(kernel, its_change)
    for row, form, kernel in ((0, 0, aim), (1, 0, aim_change), (0, 5, everything), (1, 5, change)):
        weights[row, form, :, inputs:][:, theirs] = -2 * kernel.transpose(0, 2, 1)
    return weights


def filter_products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Weights (R, R, lags) whose sum with correlations is the product of the outputs of two filters (R, lags, O)."""
    lags = first.shape[1]
    one = scipy.fft.rfft(first, 2 * lags, axis=1).transpose(1, 0, 2)
    two = scipy.fft.rfft(second, 2 * lags, axis=1).transpose(1, 2, 0)
    products = one @ two.conj()
    products = (products + products.conj().transpose(0, 2, 1)) / 2
    weights = scipy.fft.irfft(products, 2 * lags, axis=0)[:lags].transpose(1, 2, 0)
    weights[..., 1:] *= 2  # for the negative lags
    return weights


def synthesized_energies(
    correlator: Correlator,
    filters: Filters,
    span: tuple[int, int],
    pair: tuple[int, int],
    channels: int,
    filtered_target: bool,
) -> np.ndarray:
    """The energies (6,) of one window as museval has them, from filtered signals: slower, and nothing cancels."""
    start, stop = span
    inputs, lags, _ = filters.everything.shape
    j, e = pair
    own = slice(j * channels, (j + 1) * channels)
    theirs = slice(e * channels, (e + 1) * channels)
    total = np.zeros(len(FORMS))
    for first in range(start, stop + lags - 1, PIECE):
        last = min(first + PIECE, stop + lags - 1)
        before = max(first - lags + 1, start)  # the filters reach back, but not past the window's start
        signals = np.zeros((last - first + lags - 1, 2 * inputs))
        flatten(*correlator.read(before, min(last, stop)), out=signals[before - (first - lags + 1) :])
        spatial = filtered(signals[:, own], filters.spatial[pair])
        everything = filtered(signals[:, :inputs], filters.everything[..., theirs])
        target = signals[lags - 1 :, own]
        estimate = signals[lags - 1 :, inputs:][:, theirs]
        error = estimate - (spatial if filtered_target else target)
        parts = (error, spatial - target, spatial, everything - spatial, everything, estimate - everything)
        total += [np.sum(part**2) for part in parts]
    return total


def filtered(signals: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Signals (lags - 1 + n, R) through filters (R, lags, O): (n, O), less the run-in."""
    lags = kernel.shape[1]
    size = scipy.fft.next_fast_len(len(signals), real=True)  # what wraps around falls into the run-in
    spectrum = scipy.fft.rfft(signals, size, axis=0)[:, None]
    response = scipy.fft.rfft(kernel, size, axis=1).transpose(1, 0, 2)
    return scipy.fft.irfft((spectrum @ response)[:, 0], size, axis=0)[lags - 1 : len(signals)]


def _batches(windows: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    iterator = iter(windows)
    while batch := list(islice(iterator, BATCH)):
        yield batch
