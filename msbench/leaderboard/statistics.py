"""Which differences between systems are more than luck: the track is the unit.

Pairs are compared by Wilcoxon's signed-rank test, corrected by Holm (1979), rather than by differences of mean ranks:
whether two systems are distinguished must not depend on who else takes part (Benavoli, Corani and Mangili: "Should we
really use post-hoc tests based on mean-ranks?", JMLR 2016). The gate and the diagram of mean ranks follow Demšar:
"Statistical comparisons of classifiers over multiple data sets", JMLR 2006. Intervals are percentiles of Efron's
bootstrap.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from msbench.leaderboard.paired import ALPHA, NUMBERS, SEED, blocks, differences, holm, median_interval, seeds_resampled

RESAMPLES = 10_000


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
    resampled = seeds_resampled(by_seed, table)
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


def _averaged(table: pd.DataFrame, means: pd.DataFrame | None) -> np.ndarray:
    """(tracks, systems): means over windows, NaN for all tracks of a system that lacks one for a track it has."""
    if means is None:
        return np.full(table.shape, np.nan)
    found = means.reindex(index=table.index, columns=table.columns).to_numpy(float, copy=True)
    found[:, (np.isnan(found) & table.notna().to_numpy()).any(axis=0)] = np.nan
    return found


def _pairs(names: list[str], values: np.ndarray, resampled: np.ndarray, averaged: np.ndarray) -> pd.DataFrame:
    a, b = np.triu_indices(len(names), 1)
    found = differences(values, resampled, a, b)
    holm_p = holm(found["p"])
    columns = {"a": [names[i] for i in a], "b": [names[j] for j in b], **found, "p_holm": holm_p}
    order_reversed = _order_reversed(values, averaged, a, b)
    return pd.DataFrame({**columns, "distinguished": holm_p <= ALPHA, "order_reversed": order_reversed})


def _order_reversed(values: np.ndarray, averaged: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether means in place of medians put the systems of each pair in the other order."""
    found = np.zeros(len(a), bool)
    for block, rows in blocks(~np.isnan(values), a, b, 1):
        if rows.sum() < 2:
            continue
        first, second = values[rows][:, a[block]], values[rows][:, b[block]]
        by_median = np.sign(np.median(first, axis=0) - np.median(second, axis=0))
        by_mean = (averaged[rows][:, a[block]] - averaged[rows][:, b[block]]).mean(axis=0)
        by_mean = np.where(np.isnan(by_mean), (first - second).mean(axis=0), by_mean)
        found[block] = by_median * np.sign(by_mean) < 0
    return found


def _of_system(name: str, values: np.ndarray, resampled: np.ndarray) -> dict[str, Any]:
    known = ~np.isnan(values)
    if not known.any():
        return {"system": name, "tracks": 0, "median": np.nan, "low": np.nan, "high": np.nan}
    (low,), (high,) = median_interval(resampled[:, known, None])
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
    size = seeds * max(1, NUMBERS // (seeds * count))  # so that each block begins with the first seeds
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
