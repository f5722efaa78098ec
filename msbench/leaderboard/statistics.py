"""Which differences between systems are more than luck: the track is the unit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

ALPHA, RESAMPLES, SEED = 0.05, 10_000, 0


@dataclass(frozen=True)
class Comparison:
    """Of the systems of one dataset, target and metric."""

    pairs: pd.DataFrame
    ranks: pd.DataFrame
    friedman: Any
    cliques: list[list[str]]
    flips: Any


def compare(scores: pd.DataFrame) -> Comparison:
    """Compare systems (columns) over their common tracks (rows)."""
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
    outer = int(stats.binom.ppf(0.025, len(values), 0.5))  # the median's interval by order statistics
    pairs = pd.DataFrame({
        "a": [names[i] for i in first], "b": [names[j] for j in second], "n": len(values),
        "median_difference": np.median(difference, axis=0), "low": difference[max(outer - 1, 0)],
        "high": difference[-max(outer, 1)], "p": p,
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
    return Comparison(pairs, ranks, friedman, cliques, None)
