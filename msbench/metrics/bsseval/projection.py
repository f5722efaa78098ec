"""The distortion filters of BSSEval: least squares on delayed references, from their correlations alone.

``everything`` are the filters from all references to an estimate, ``spatial`` those from its own reference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from msbench.metrics.bsseval.correlation import Stretch

if TYPE_CHECKING:
    import torch

EPS = float(np.finfo(float).eps)  # museval's regularization, in units of energy
FEW_TAPS = 16


@dataclass
class Filters:
    """museval's two projections.

    Attributes:
        everything: (R, lags, E), from all references to each channel of the estimates.
        spatial: {(j, e): (C, lags, C)}, from the channels of reference j to those of estimate e.
    """

    everything: np.ndarray
    spatial: dict[tuple[int, int], np.ndarray]


def solve_filters(
    track: Stretch,
    pairs: list[tuple[int, int]],
    channels: int,
    strict: bool,
    device: str | torch.device | None = None,
) -> tuple[Filters, Filters]:
    """Filters for these (reference, estimate) pairs, and how far they may be from themselves.

    Args:
        track: The whole track.
        pairs: Which references are compared with which estimates.
        channels: C.
        strict: Refuse a matrix that is singular to rounding, instead of solving it as museval does.
        device: Where torch solves; scipy does, on the CPU, when None.

    Returns:
        The filters, and one draw of the change that rounding makes to them (not a number where there is no telling).

    Raises:
        numpy.linalg.LinAlgError: If strict, and such a matrix is met.
    """
    inputs = len(track.correlations)
    auto, cross = track.correlations[:, :inputs], track.correlations[:, inputs:]
    levels, same = np.sqrt(track.energies), track.same
    filters, noise = Filters(np.empty(0), {}), Filters(np.empty(0), {})
    for j in sorted({j for j, _ in pairs}):
        own = slice(j * channels, (j + 1) * channels)
        solution, change = _solve(
            auto[own, own], cross[own], levels[own], levels[inputs:], same[own, own], strict=strict, device=device
        )
        for e in (e for i, e in pairs if i == j):
            theirs = slice(e * channels, (e + 1) * channels)
            filters.spatial[j, e], noise.spatial[j, e] = solution[..., theirs], change[..., theirs]
    if inputs > channels:
        solution, change = _solve(auto, cross, levels[:inputs], levels[inputs:], same, strict=strict, device=device)
    # A single source has one system for both, so that its interference is exactly zero, as museval's is.
    filters.everything, noise.everything = solution, change
    return filters, noise


def _solve(
    auto: np.ndarray,
    cross: np.ndarray,
    levels: np.ndarray,
    out_levels: np.ndarray,
    same: np.ndarray,
    *,
    strict: bool,
    device: str | torch.device | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares from auto (R, R, lags) and cross (R, E, lags): filters (R, lags, E) and their change."""
    inputs, outputs, lags = cross.shape
    filters, change = np.zeros((2, inputs, lags, outputs))
    # A channel twice (mono in a stereo file, a stem twice) makes the matrix singular. One of them projects alike, on
    # the whole and in each window: leaving the copies out spares museval's least squares by singular values. Not so
    # with a few taps alone, where museval may meet a pivot near zero and its filters blow up.
    copied = same.any(axis=0) & (lags >= FEW_TAPS)
    keep = np.flatnonzero(~copied)
    # Copies share the filter, and so half the penalty: as if the one had half of it.
    penalty = EPS / (1 + (same & copied).sum(axis=1)[keep])
    auto, cross, levels = auto[np.ix_(keep, keep)], cross[keep], levels[keep]
    right = cross.transpose(0, 2, 1).reshape(-1, outputs)
    try:
        solve = _factorized(normal_matrix(auto, penalty, lower=True), device)
    except np.linalg.LinAlgError:
        if strict:
            raise
        try:
            solution = np.linalg.solve(normal_matrix(auto, penalty), right)
        except np.linalg.LinAlgError:
            solution = np.linalg.lstsq(normal_matrix(auto, 0 * penalty), right)[0]
        filters[keep], change[keep] = solution.reshape(-1, lags, outputs), np.nan
        return filters, change
    filters[keep] = solve(right).reshape(-1, lags, outputs)
    # Correlations are known to a rounding of the product of the levels. What that does to the filters can be many
    # orders more (band-limited references), for museval and here alike; a random draw of it shows.
    draw = np.random.default_rng(0).standard_normal((len(keep), lags, outputs)) * EPS
    draw *= levels[:, None, None] * (out_levels + levels @ np.sqrt((filters[keep] ** 2).sum(axis=1)))
    draw = draw.reshape(-1, outputs)
    change[keep] = solve(draw).reshape(-1, lags, outputs)
    return filters, change


def _factorized(matrix: np.ndarray, device: str | torch.device | None) -> Callable[[np.ndarray], np.ndarray]:
    """The solution of matrix x = right for any right (n, E), by one Cholesky of the lower triangle.

    Raises:
        numpy.linalg.LinAlgError: If the matrix is not positive definite.
    """
    if device is None:
        # scipy reads one triangle of the transpose, which is Fortran's order: nothing is copied.
        factor = scipy.linalg.cho_factor(matrix.T, overwrite_a=True, check_finite=False)
        return lambda right: scipy.linalg.cho_solve(factor, right, check_finite=False)
    import torch

    lower, info = torch.linalg.cholesky_ex(torch.from_numpy(matrix).to(device))
    if info.item():
        raise np.linalg.LinAlgError("the normal matrix is not positive definite")
    return lambda right: torch.cholesky_solve(torch.from_numpy(right).to(device), lower).cpu().numpy()


def normal_matrix(auto: np.ndarray, penalty: np.ndarray, lower: bool = False) -> np.ndarray:
    """The block-Toeplitz matrix (R lags, R lags) of the inner products of delayed references.

    Args:
        auto: Their correlations, (R, R, lags).
        penalty: Added to the diagonal, (R,).
        lower: Leave the blocks above the diagonal as they come.
    """
    inputs, _, lags = auto.shape
    matrix = np.empty((inputs, lags, inputs, lags))
    for i in range(inputs):
        for j in range(i + 1 if lower else inputs):
            # <x_i delayed by a, x_j delayed by b> = c_ji[b - a] = c_ij[a - b]
            both = np.concatenate([auto[i, j, :0:-1], auto[j, i]])
            step = both.strides[0]
            matrix[i, :, j] = np.lib.stride_tricks.as_strided(both[lags - 1 :], (lags, lags), (-step, step))
    square = matrix.reshape(inputs * lags, inputs * lags)
    square[np.diag_indices_from(square)] += np.repeat(penalty, lags)
    return square
