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
    rows = []
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        difference = values[:, i] - values[:, j]
        p = float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0
        low, high = np.quantile(np.median(difference[draws[:1000]], axis=1), [0.025, 0.975])
        rows.append([a, b, len(values), float(np.median(difference)), low, high, p])
    pairs = pd.DataFrame(rows, columns=["a", "b", "n", "median_difference", "low", "high", "p"])
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
