"""Which differences between systems are more than luck: the track is the unit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

ALPHA, INTERVAL, RESAMPLES, SEED = 0.05, 0.95, 10_000, 0


@dataclass(frozen=True)
class Comparison:
    """Of the systems of one dataset, target and metric.

    Attributes:
        pairs: a, b, n, median_difference, low, high, p, p_holm, distinguished.
        ranks: system, median, low, high, rank, rank_low, rank_high, probability_best, mean_rank.
        friedman: p of Friedman's test over all, None for two.
        cliques: Systems by mean rank of which no two are distinguished.
        flips: Pairs whose order turns where the mean over tracks takes the median's place (on SiSEC 2018's vocals 8 of
            465; means over windows too would need the scores of windows, which records do not hold).
    """

    pairs: pd.DataFrame
    ranks: pd.DataFrame
    friedman: Any
    cliques: list[list[str]]
    flips: int


def compare(scores: pd.DataFrame) -> Comparison:
    """Compare systems (columns) over their common tracks (rows), two tracks at least."""
    kept = scores.dropna()
    values, names = kept.to_numpy(), list(kept.columns)
    rng = np.random.default_rng(SEED)
    draws = rng.integers(0, len(values), (RESAMPLES, len(values)))
    medians = np.stack([np.median(values[:, j][draws], axis=1) for j in range(len(names))], axis=1)
    places = (-medians).argsort(axis=1).argsort(axis=1) + 1
    first, second = (list(side) for side in zip(*combinations(range(len(names)), 2), strict=True))
    difference = np.sort(values[:, first] - values[:, second], axis=0)
    p = np.ones(len(first))
    unlike = difference.any(axis=0)
    p[unlike] = stats.wilcoxon(difference[:, unlike], axis=0).pvalue
    low, high = _median_interval(difference)
    pairs = pd.DataFrame({
        "a": [names[i] for i in first], "b": [names[j] for j in second], "n": len(values),
        "median_difference": np.median(difference, axis=0), "low": low,
        "high": high, "p": p,
    })  # fmt: skip
    order = pairs["p"].to_numpy().argsort()
    holm = np.maximum.accumulate(pairs["p"].to_numpy()[order] * np.arange(len(order), 0, -1)).clip(max=1)
    pairs.loc[order, "p_holm"] = holm
    pairs["distinguished"] = pairs["p_holm"] <= ALPHA
    centre = np.median(values, axis=0)
    ranks = pd.DataFrame({
        "system": names, "median": centre, "low": np.quantile(medians, 0.025, axis=0),
        "high": np.quantile(medians, 0.975, axis=0), "rank": stats.rankdata(-centre, method="min").astype(int),
        "rank_low": np.quantile(places, 0.025, axis=0).astype(int),
        "rank_high": np.quantile(places, 0.975, axis=0).astype(int),
        "probability_best": (places == 1).mean(axis=0), "mean_rank": stats.rankdata(-values, axis=1).mean(axis=0),
    })  # fmt: skip
    apart = {frozenset(pair) for pair in pairs.loc[pairs["distinguished"], ["a", "b"]].to_numpy().tolist()}
    ordered = ranks.sort_values("mean_rank")["system"].tolist()
    cliques: list[list[str]] = []
    for start in range(len(ordered)):
        stop = start + 1
        while stop < len(ordered) and all(frozenset((ordered[stop], x)) not in apart for x in ordered[start:stop]):
            stop += 1
        if stop - start > 1 and not any(set(ordered[start:stop]) <= set(clique) for clique in cliques):
            cliques.append(ordered[start:stop])
    friedman = float(stats.friedmanchisquare(*values.T).pvalue) if len(names) > 2 else None
    means = values.mean(axis=0)
    turned = np.sign(centre[first] - centre[second]) != np.sign(means[first] - means[second])
    return Comparison(pairs, ranks, friedman, cliques, int(turned.sum()))


def _median_interval(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % percentile interval of a bootstrapped median of each column, sorted (n, columns).

    In the limit of many resamples it is known: a resample's median is at most the k-th value where at least half of n
    draws fall among the first k. So 19,900 pairs cost no more than one. An even n has two middles, averaged here.
    """
    count = len(ordered)
    shares = np.arange(1, count + 1) / count
    ends = []
    for level in ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2):
        middles = {(count + 1) // 2, count // 2 + 1}
        places = [int((stats.binom.sf(m - 1, count, shares) >= level - 1e-12).argmax()) for m in sorted(middles)]
        ends.append(ordered[places].mean(axis=0))
    return ends[0], ends[1]
