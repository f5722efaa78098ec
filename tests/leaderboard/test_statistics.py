"""Statistics against cases worked by hand, and against the counts known of SiSEC 2018."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from msbench.leaderboard.board import Board
from msbench.leaderboard.statistics import Comparison, compare

MUSDB18 = Path(__file__).parents[2] / "leaderboards" / "musdb18"


@pytest.fixture(scope="module")
def rankings() -> dict[str, pd.DataFrame]:
    ranking = Board(MUSDB18).rankings()[0]  # that with tracks
    return {target: ranking.scores[target, "SDR"].dropna(axis=1, how="all") for target in ranking.targets}


def pair(found: Comparison, a: str, b: str) -> pd.Series:
    return found.pairs.set_index(["a", "b"]).loc[(a, b)]


@pytest.mark.parametrize(
    ("target", "systems", "separated", "pairs"), [("vocals", 31, 432, 465), ("accompaniment", 27, 326, 351)]
)
def test_sisec_2018_is_separated_as_known(
    rankings: dict[str, pd.DataFrame], target: str, systems: int, separated: int, pairs: int
) -> None:
    scores = rankings[target]
    assert scores.shape == (50, systems)
    found = compare(scores)
    assert len(found.pairs) == pairs
    assert found.pairs["distinguished"].sum() == separated
    assert found.friedman < 1e-10


def test_a_case_by_hand() -> None:
    base = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    scores = pd.DataFrame({
        "a": base,
        "b": base - np.array([1, 2, 3, 4, 5, 6]),  # below a on all six tracks: of 64 signs, 2 are as far: p = 1/32
        "c": base + np.array([-1, 2, -3, 4, -5, 6]),  # ranks of one sign sum to 9 and 12 of 21: p = 0.84375
    })  # fmt: skip
    found = compare(scores)
    assert pair(found, "a", "b")["p"] == pytest.approx(1 / 32)
    assert pair(found, "a", "b")["median_difference"] == 3.5
    assert pair(found, "a", "c")["p"] == pytest.approx(0.84375)
    # b against c: differences 0, -4, 0, -8, 0, -12; Wilcoxon leaves out zeros.
    p = sorted(found.pairs["p"])
    holm = found.pairs.sort_values("p")["p_holm"].tolist()
    assert holm == pytest.approx([min(1, 3 * p[0]), max(min(1, 3 * p[0]), 2 * p[1]), max(2 * p[1], p[2])])
    assert not found.pairs["distinguished"].any()
    assert len(found.cliques) == 1
    assert set(found.cliques[0]) == {"a", "b", "c"}


def test_a_clear_winner_is_distinguished_and_best() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=40)
    scores = pd.DataFrame({"best": base + 3, "one": base, "other": base + rng.normal(0, 0.01, 40)})
    found = compare(scores)
    ranks = found.ranks.set_index("system")
    assert pair(found, "best", "one")["distinguished"]
    assert not pair(found, "one", "other")["distinguished"]
    assert pair(found, "best", "one")[["low", "high"]].tolist() == pytest.approx([3, 3])
    assert ranks.loc["best", ["rank", "rank_low", "rank_high", "probability_best"]].tolist() == [1, 1, 1, 1.0]
    assert ranks["mean_rank"].loc["best"] == 1
    assert found.cliques == [sorted(["one", "other"], key=lambda name: ranks.loc[name, "mean_rank"])]


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        shift = compare(pd.DataFrame({"a": rng.normal(0.5, 1, 51), "b": np.zeros(51)})).pairs.iloc[0]
        covered += shift["low"] <= 0.5 <= shift["high"]
    assert 180 <= covered <= 200  # 95 % of 200, within its own luck


def test_the_same_scores_give_the_same_numbers(rankings: dict[str, pd.DataFrame]) -> None:
    first, second = (compare(rankings["bass"]) for _ in range(2))
    pd.testing.assert_frame_equal(first.ranks, second.ranks)
