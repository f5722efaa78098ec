"""Loops over samples, compiled: one pass over memory, where numpy takes several."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from msbench.system.compiled import compiled

_SCALE_16 = np.float32(2.0**-15)
_AT_ONCE = 8  # arrays that are added in one pass; many more at once take longer than numpy


def deinterleave(stored: np.ndarray, out: np.ndarray) -> None:
    """Samples as a file has them, (samples * channels,), into (channels, samples) float32."""
    if len(out) == 2:
        compiled(_pairs_of_16_bits if stored.dtype == np.int16 else _pairs_of_floats)(stored, out[0], out[1])
        return
    for channel, row in enumerate(out):
        row[...] = stored[channel :: len(out)]
    if stored.dtype == np.int16:
        out *= _SCALE_16


def _pairs_of_16_bits(stored: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    for i in range(len(left)):
        left[i] = np.float32(stored[2 * i]) * _SCALE_16
        right[i] = np.float32(stored[2 * i + 1]) * _SCALE_16


def _pairs_of_floats(stored: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    for i in range(len(left)):
        left[i] = stored[2 * i]
        right[i] = stored[2 * i + 1]


def sum_of(stems: Iterable[np.ndarray]) -> np.ndarray:
    """The sum of arrays of one shape, contiguous float32, from the first to the last."""
    stems = list(stems)
    total = np.empty_like(stems[0])
    compiled(_sum_of_rows)(tuple(stem.reshape(-1) for stem in stems[:_AT_ONCE]), total.reshape(-1))
    for stem in stems[_AT_ONCE:]:
        total += stem
    return total


def _sum_of_rows(rows: tuple[np.ndarray, ...], total: np.ndarray) -> None:
    for i in range(len(total)):
        value = rows[0][i]
        for k in range(1, len(rows)):  # a tuple's length is known when this is compiled
            value += rows[k][i]
        total[i] = value
