"""Which differences between systems are more than luck: the track is the unit.

Pairs are compared by Wilcoxon's signed-rank test, corrected by Holm (1979), rather than by differences of mean ranks:
whether two systems are distinguished must not depend on who else takes part (Benavoli, Corani and Mangili: "Should we
really use post-hoc tests based on mean-ranks?", JMLR 2016). The gate and the diagram of mean ranks follow Demšar:
"Statistical comparisons of classifiers over multiple data sets", JMLR 2006. Intervals are percentiles of Efron's
bootstrap.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

ALPHA, INTERVAL, RESAMPLES, SEED = 0.05, 0.95, 10_000, 0
SEED_RESAMPLES = 16  # of a system's training seeds, where it has several; each takes its share of the resamples

_EXACT_TRACKS = 50  # up to here the signed-rank test is exact; beyond, the normal approximation is as good and faster
_BLOCK = 2048  # pairs at a time, for memory
_CELLS = 2**22  # numbers at a time, where there are many tracks
_NEVER = 1e-5  # a probability below this is none: such order statistics are left out of an interval


@dataclass(frozen=True)
class RankedGroup:
    """Systems that may be ranked together.

    Attributes:
        group: What the systems have in common.
        tracks: How many tracks they are ranked over: those that more than half of the group has a score on.
        ranks: system, rank, rank_low, rank_high, probability_best and mean_rank, by mean rank. A system that lacks one
            of the tracks is not in it.
        friedman: p of Friedman's test over the ranked systems; None for fewer than three.
        cliques: Systems that follow each other by mean rank and of which no two are distinguished.
    """

    group: Hashable
    tracks: int
    ranks: pd.DataFrame
    friedman: float | None
    cliques: list[list[str]]


@dataclass(frozen=True)
class Comparison:
    """The systems of one dataset, target and metric, compared.

    Attributes:
        pairs: One line per pair: a, b, n (their common tracks), median_difference (a minus b), low, high, p, p_holm,
            distinguished, and order_reversed: whether means in place of medians put the two in the other order. On
            SiSEC 2018's vocals, means over tracks reverse 8 of 465 pairs, and means over tracks of means over windows
            reverse 16.
        systems: One line per system: system, tracks (that it has a score on), median, low, high.
        ranked: One entry per group.
    """

    pairs: pd.DataFrame
    systems: pd.DataFrame
    ranked: list[RankedGroup]

    @property
    def cliques(self) -> list[list[str]]:
        """The cliques of all groups."""
        return [clique for ranked in self.ranked for clique in ranked.cliques]


def compare(
    scores: Mapping[str, pd.Series | pd.DataFrame] | pd.DataFrame,
    groups: Mapping[str, Hashable] | None = None,
    means: pd.DataFrame | None = None,
) -> Comparison:
    """Compare systems, pair by pair over the tracks that both have a score on; and rank them, group by group.

    Args:
        scores: {system: its score of each track}: a series, or a frame of one column per training seed, whose median
            counts. NaN where there is none.
        groups: {system: what it shares with those it may be ranked with}; a system that is not in it has no rank. All
            are one group when None. The pairs are one family whatever the groups.
        means: Tracks (rows) by system (columns): the mean over windows where a score is the median. The scores serve
            for systems that have no means.

    Raises:
        ValueError: If there are fewer than two systems.
    """
    by_seed = {name: pd.DataFrame(values).astype(float) for name, values in scores.items()}
    if len(by_seed) < 2:
        raise ValueError(f"two systems are needed for a comparison, not {len(by_seed)}")
    names = list(by_seed)
    table = pd.DataFrame({name: values.median(axis=1) for name, values in by_seed.items()})
    values = table.to_numpy()
    resampled = _seeds_resampled(by_seed, table)
    pairs = _pairs(names, values, resampled, _averaged(table, means))
    systems = pd.DataFrame([_of_system(name, values[:, j], resampled[:, :, j]) for j, name in enumerate(names)])
    distinguished = {frozenset(pair) for pair in pairs.loc[pairs["distinguished"], ["a", "b"]].to_numpy().tolist()}
    ranked = []
    for group, members in _members(names, groups).items():
        of_group = [names[j] for j in members]
        ranks, tracks, friedman = _ranks(of_group, values[:, members], resampled[:, :, members])
        ranked.append(RankedGroup(group, tracks, ranks, friedman, _cliques(ranks["system"].tolist(), distinguished)))
    return Comparison(pairs, systems, ranked)


def _members(names: list[str], groups: Mapping[str, Hashable] | None) -> dict[Hashable, list[int]]:
    """{group: the places of its systems in the list}."""
    found: dict[Hashable, list[int]] = {}
    for j, name in enumerate(names):
        if groups is None or name in groups:
            found.setdefault(None if groups is None else groups[name], []).append(j)
    return found


def _seeds_resampled(by_seed: dict[str, pd.DataFrame], table: pd.DataFrame) -> np.ndarray:
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


def _averaged(table: pd.DataFrame, means: pd.DataFrame | None) -> np.ndarray:
    """(tracks, systems): means over windows, NaN for all tracks of a system that lacks one for a track it has."""
    if means is None:
        return np.full(table.shape, np.nan)
    found = means.reindex(index=table.index, columns=table.columns).to_numpy(float, copy=True)
    found[:, (np.isnan(found) & table.notna().to_numpy()).any(axis=0)] = np.nan
    return found


def _pairs(names: list[str], values: np.ndarray, resampled: np.ndarray, averaged: np.ndarray) -> pd.DataFrame:
    a, b = np.triu_indices(len(names), 1)
    found = {key: np.full(len(a), np.nan) for key in ("median_difference", "low", "high", "p")}
    n, order_reversed = np.zeros(len(a), int), np.zeros(len(a), bool)
    for block, rows in _blocks(~np.isnan(values), a, b, len(resampled)):
        n[block] = rows.sum()
        first, second = values[rows][:, a[block]], values[rows][:, b[block]]
        if len(first) < 2:
            found["p"][block] = 1.0  # one track tells nothing of others
            continue
        difference = first - second
        found["p"][block] = _signed_rank(difference)
        found["median_difference"][block] = np.median(difference, axis=0)
        drawn = resampled[:, rows]
        found["low"][block], found["high"][block] = _median_interval(drawn[:, :, a[block]] - drawn[:, :, b[block]])
        by_median = np.sign(np.median(first, axis=0) - np.median(second, axis=0))
        by_mean = (averaged[rows][:, a[block]] - averaged[rows][:, b[block]]).mean(axis=0)
        by_mean = np.where(np.isnan(by_mean), difference.mean(axis=0), by_mean)
        order_reversed[block] = by_median * np.sign(by_mean) < 0
    holm = _holm(found["p"])
    columns = {"a": [names[i] for i in a], "b": [names[j] for j in b], "n": n, **found, "p_holm": holm}
    return pd.DataFrame({**columns, "distinguished": holm <= ALPHA, "order_reversed": order_reversed})


def _holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction: the smallest of m is multiplied by m, the next by m - 1, and none falls below it."""
    order = p.argsort(kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected


def _blocks(present: np.ndarray, a: np.ndarray, b: np.ndarray, seeds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(some pairs, the tracks that all of them have in common).

    Most systems lack no track, or the same ones, so that a few blocks hold all pairs.
    """
    patterns, pattern_of = np.unique(present, axis=1, return_inverse=True)
    of_pair = pattern_of[a] * patterns.shape[1] + pattern_of[b]
    for key in np.unique(of_pair):
        rows = patterns[:, key // patterns.shape[1]] & patterns[:, key % patterns.shape[1]]
        alike = np.flatnonzero(of_pair == key)
        size = max(1, min(_BLOCK, _CELLS // (seeds * max(1, rows.sum()))))
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


def _median_interval(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _of_system(name: str, values: np.ndarray, resampled: np.ndarray) -> dict[str, Any]:
    known = ~np.isnan(values)
    if not known.any():
        return {"system": name, "tracks": 0, "median": np.nan, "low": np.nan, "high": np.nan}
    (low,), (high,) = _median_interval(resampled[:, known, None])
    return {"system": name, "tracks": int(known.sum()), "median": np.median(values[known]), "low": low, "high": high}


def _ranks(names: list[str], values: np.ndarray, resampled: np.ndarray) -> tuple[pd.DataFrame, int, float | None]:
    """`RankedGroup.ranks`, `tracks` and `friedman` of one group's systems.

    Args:
        names: S systems.
        values: (tracks, S).
        resampled: (resamples of the seeds, tracks, S).
    """
    present = ~np.isnan(values)
    tracks = present.mean(axis=1) > 0.5
    whole = np.flatnonzero(present[tracks].all(axis=0)) if tracks.any() else np.array([], int)
    own, count = values[np.ix_(tracks, whole)], int(tracks.sum())
    medians = _resampled_medians(resampled[:, tracks][:, :, whole])
    places = stats.rankdata(-medians, method="min", axis=1)
    first = places == 1
    some = len(whole) > 0  # scipy's rankdata and numpy's quantile refuse none
    ranks = pd.DataFrame(
        {
            "system": [names[j] for j in whole],
            "rank": stats.rankdata(-np.median(own, axis=0), method="min").astype(int) if some else [],
            "rank_low": np.quantile(places, 0.025, axis=0, method="lower").astype(int) if some else [],
            "rank_high": np.quantile(places, 0.975, axis=0, method="higher").astype(int) if some else [],
            "probability_best": (first / first.sum(axis=1, keepdims=True)).mean(
                axis=0
            ),  # shared where several are first
            "mean_rank": stats.rankdata(-own, axis=1).mean(axis=0) if some else [],
        }
    ).sort_values("mean_rank", kind="stable", ignore_index=True)
    friedman = float(stats.friedmanchisquare(*own.T).pvalue) if len(whole) > 2 and count > 1 else None
    return ranks, count, friedman


def _resampled_medians(drawn: np.ndarray) -> np.ndarray:
    """(resamples, systems): medians over tracks drawn with replacement, the same for all systems.

    How often each track is drawn says which of the sorted scores is the middle: a third of the time of sorting what
    is drawn.
    """
    seeds, count, systems = drawn.shape
    medians = np.zeros((RESAMPLES, systems))
    if not count:
        return medians
    rng = np.random.default_rng(SEED)
    middles = {(count + 1) // 2, count // 2 + 1}
    orders = drawn.argsort(axis=1)
    size = seeds * max(1, _CELLS // (seeds * count))  # so that each block begins with the first seeds
    for start in range(0, RESAMPLES, size):
        block = medians[start : start + size]
        counts = rng.multinomial(count, np.full(count, 1 / count), len(block)).astype(np.int16)
        for k in range(seeds):
            mine = counts[k::seeds]
            for j in range(systems):
                order = orders[k, :, j]
                reached = mine[:, order].cumsum(axis=1, dtype=np.int16)
                block[k::seeds, j] = sum(drawn[k, order[(reached >= m).argmax(axis=1)], j] for m in middles)
    return medians / len(middles)


def _cliques(ordered: list[str], distinguished: set[frozenset[str]]) -> list[list[str]]:
    """The longest runs of systems, by mean rank, of which no two are distinguished."""
    cliques: list[list[str]] = []
    for start in range(len(ordered)):
        stop = start + 1
        while stop < len(ordered) and not any({ordered[stop], other} in distinguished for other in ordered[start:stop]):
            stop += 1
        if stop - start > 1 and not any(set(ordered[start:stop]) <= set(clique) for clique in cliques):
            cliques.append(ordered[start:stop])
    return cliques
