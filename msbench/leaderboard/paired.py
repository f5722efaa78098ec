"""Paired differences over tracks: Wilcoxon's signed-rank test, Holm's correction and bootstrap intervals.

Arrays hold one row per track and one column per system, NaN where a system has no score on a track. Intervals are
percentiles of Efron's bootstrap: tracks are shared by both systems of a pair, and training seeds resampled within.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

ALPHA, INTERVAL, SEED = 0.05, 0.95, 0
SEED_RESAMPLES = 16  # of a system's training seeds, where it has several; each takes its share of the resamples
NUMBERS = 2**22  # at a time, where there are many tracks

_EXACT_TRACKS = 50  # up to here the signed-rank test is exact; beyond, the normal approximation is as good and faster
_BLOCK = 2048  # pairs at a time, for memory
_NEVER = 1e-5  # a probability below this is none: such order statistics are left out of an interval


def differences(values: np.ndarray, resampled: np.ndarray, a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    """The pairs of systems (a[i], b[i]), each over the tracks that both have a score on.

    Args:
        values: (tracks, systems).
        resampled: (resamples of the seeds, tracks, systems), of `seeds_resampled`.
        a: Columns of the first systems.
        b: Columns of the second.

    Returns:
        One value per pair: n (common tracks), median_difference (a minus b), low, high, and p. Below two common
        tracks, p is 1 and the others are NaN: one track tells nothing of others.
    """
    found = {key: np.full(len(a), np.nan) for key in ("median_difference", "low", "high", "p")}
    n = np.zeros(len(a), int)
    for block, rows in blocks(~np.isnan(values), a, b, len(resampled)):
        n[block] = rows.sum()
        if rows.sum() < 2:
            found["p"][block] = 1.0
            continue
        difference = values[rows][:, a[block]] - values[rows][:, b[block]]
        found["p"][block] = _signed_rank(difference)
        found["median_difference"][block] = np.median(difference, axis=0)
        drawn = resampled[:, rows]
        found["low"][block], found["high"][block] = median_interval(drawn[:, :, a[block]] - drawn[:, :, b[block]])
    return {"n": n, **found}


def seeds_resampled(by_seed: dict[str, pd.DataFrame], table: pd.DataFrame) -> np.ndarray:
    """(resamples of the seeds, tracks, systems): medians over seeds drawn with replacement; one resample, the scores
    themselves, where no system has several."""
    if all(values.shape[1] == 1 for values in by_seed.values()):
        return table.to_numpy()[None]
    rng = np.random.default_rng(SEED)  # fixed: the same records give the same page, byte for byte
    found = np.empty((SEED_RESAMPLES, *table.shape))
    for j, values in enumerate(by_seed.values()):
        known = values.reindex(table.index).to_numpy()
        draws = rng.integers(0, known.shape[1], (SEED_RESAMPLES, known.shape[1]))
        found[:, :, j] = np.nanmedian(known[:, draws], axis=2).T if known.shape[1] > 1 else known[:, 0]
    # A track that the drawn seeds lack has the median of all.
    return np.where(np.isnan(found), table.to_numpy(), found)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction: the smallest of m is multiplied by m, the next by m - 1, and none falls below it."""
    order = p.argsort(kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected


def blocks(present: np.ndarray, a: np.ndarray, b: np.ndarray, seeds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(some pairs, the tracks that all of them have in common).

    Most systems lack no track, or the same ones, so that a few blocks hold all pairs.
    """
    patterns, pattern_of = np.unique(present, axis=1, return_inverse=True)
    of_pair = pattern_of[a] * patterns.shape[1] + pattern_of[b]
    for key in np.unique(of_pair):
        rows = patterns[:, key // patterns.shape[1]] & patterns[:, key % patterns.shape[1]]
        alike = np.flatnonzero(of_pair == key)
        size = max(1, min(_BLOCK, NUMBERS // (seeds * max(1, rows.sum()))))
        for start in range(0, len(alike), size):
            yield alike[start : start + size], rows


def _signed_rank(difference: np.ndarray) -> np.ndarray:
    """p of Wilcoxon's test of each column.

    scipy chooses one method for all columns that it is given, so those that need another one are tested apart: what
    one pair holds must not change the p of another.
    """
    p = np.ones(difference.shape[1])  # 1 where all differences are zero
    size = np.sort(np.abs(difference), axis=0)
    with_zeros, with_ties = (size == 0).any(axis=0), (np.diff(size, axis=0) == 0).any(axis=0)
    plain = ~with_zeros & ~with_ties
    if plain.any():
        method = "exact" if len(difference) <= _EXACT_TRACKS else "asymptotic"
        p[plain] = stats.wilcoxon(difference[:, plain], axis=0, method=method).pvalue
    for column in np.flatnonzero(~plain & size.any(axis=0)):  # a few at most, such as models scored twice
        p[column] = stats.wilcoxon(difference[:, column]).pvalue
    return p


def median_interval(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % percentile interval of a bootstrapped median of each column of (resamples of the seeds, n, columns).

    In the limit of many resamples it is known: a resample's median is at most the k-th value where at least half of n
    draws fall among the first k; over seeds, the mean of that. So 19,900 pairs cost no more than one. An even n has two
    middles, averaged here.
    """
    seeds, count, columns = drawn.shape
    shares = np.arange(count + 1) / count
    middles = sorted({(count + 1) // 2, count // 2 + 1})
    weights = [np.diff(stats.binom.sf(middle - 1, count, shares)) for middle in middles]
    kept = np.flatnonzero(np.max(weights, axis=0) > _NEVER)
    central = np.sort(np.ascontiguousarray(drawn.transpose(2, 0, 1)), axis=2)[:, :, kept]
    pooled = central.reshape(columns, -1)
    order = pooled.argsort(axis=1)
    ends = np.zeros((2, columns))
    for weight in weights:
        reached = np.tile(weight[kept] / seeds, seeds)[order].cumsum(axis=1)
        for end, level in enumerate(((1 - INTERVAL) / 2, (1 + INTERVAL) / 2)):
            place = (reached >= level - _NEVER).argmax(axis=1)
            ends[end] += pooled[np.arange(columns), order[np.arange(columns), place]] / len(middles)
    return ends[0], ends[1]
