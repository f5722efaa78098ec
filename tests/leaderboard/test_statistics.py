"""Statistics against cases worked by hand, and against the counts known of SiSEC 2018."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from msbench.leaderboard.board import Board
from msbench.leaderboard.paired import SEED
from msbench.leaderboard.statistics import RESAMPLES, Comparison, _resampled_medians, compare

MUSDB18 = Path(__file__).parents[2] / "leaderboards" / "musdb18"


@pytest.fixture(scope="module")
def rankings() -> dict[str, pd.DataFrame]:
    pair, stems = Board(MUSDB18).rankings()[:2]  # those with tracks
    found: dict[str, pd.DataFrame] = {}
    for ranking in (pair, stems):
        for target in ranking.targets:
            scores = ranking.scores(target, "SDR").dropna(axis=1, how="all")
            found[target] = pd.concat([found[target], scores], axis=1) if target in found else scores
    return found


def pair(found: Comparison, a: str, b: str) -> pd.Series:
    return found.pairs.set_index(["a", "b"]).loc[(a, b)]


@pytest.mark.parametrize(
    ("target", "systems", "separated", "pairs", "order_reversed"),
    [("vocals", 31, 432, 465, 8), ("accompaniment", 27, 326, 351, 5)],
)
def test_sisec_2018_is_separated_as_known(
    rankings: dict[str, pd.DataFrame], target: str, systems: int, separated: int, pairs: int, order_reversed: int
) -> None:
    scores = rankings[target]
    assert scores.shape == (50, systems)
    found = compare(scores)
    assert len(found.pairs) == pairs
    assert found.pairs["distinguished"].sum() == separated
    assert found.pairs["order_reversed"].sum() == order_reversed
    assert found.ranked[0].friedman < 1e-10


def test_a_case_by_hand() -> None:
    base = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    scores = pd.DataFrame(
        {
            "a": base,
            "b": base - np.array([1, 2, 3, 4, 5, 6]),  # below a on all six tracks: of 64 signs, 2 are as far: p = 1/32
            "c": base + np.array([-1, 2, -3, 4, -5, 6]),  # ranks of one sign sum to 9 and 12 of 21: p = 0.84375
        }
    )
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
    ranks = found.ranked[0].ranks.set_index("system")
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
    pd.testing.assert_frame_equal(first.ranked[0].ranks, second.ranked[0].ranks)
    pd.testing.assert_frame_equal(first.pairs, second.pairs)


def test_pairs_share_their_own_tracks_and_a_newcomer_with_few_weakens_no_other() -> None:
    rng = np.random.default_rng(2)
    base = pd.Series(rng.normal(size=50), index=[f"t{i}" for i in range(50)])
    systems = {"a": base + 1, "b": base, "c": base - 1}
    alone = compare(systems).pairs.set_index(["a", "b"])
    joined = compare({**systems, "newcomer": base.iloc[:2] + 9})
    pairs = joined.pairs.set_index(["a", "b"])
    assert pairs.loc[alone.index, ["n", "p", "low", "high"]].equals(alone[["n", "p", "low", "high"]])
    assert pairs.loc[("a", "newcomer"), "n"] == 2
    assert pairs.loc[("a", "newcomer"), "median_difference"] == pytest.approx(-8)
    assert joined.ranked[0].ranks["system"].tolist() == ["a", "b", "c"]  # its two tracks give it no place
    assert joined.systems.set_index("system")["tracks"].tolist() == [50, 50, 50, 2]


def test_a_track_that_a_stranger_alone_has_changes_no_rank() -> None:
    base = pd.Series(np.arange(9.0))
    extra = pd.concat([base - 1, pd.Series([7.0], index=[99])])
    found = compare({"a": base, "b": base + 1, "stranger": extra}).ranked[0]
    assert found.tracks == 9
    assert found.ranks["system"].tolist() == ["b", "a", "stranger"]


def test_no_common_track_is_no_verdict() -> None:
    found = compare({"a": pd.Series({"x": 1.0, "y": 2.0}), "b": pd.Series({"z": 9.0})})
    row = found.pairs.iloc[0]
    assert (row["n"], row["p"], bool(row["distinguished"])) == (0, 1.0, False)
    with pytest.raises(ValueError, match="two systems are needed for a comparison, not 1"):
        compare({"a": pd.Series([1.0])})


def test_groups_are_ranked_apart_and_pairs_are_one_family() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(size=30)
    scores = pd.DataFrame({"oracle": base + 9, "extra": base + 3, "one": base + 1, "two": base})
    found = compare(scores, {"one": "standard", "two": "standard", "extra": "extra"})
    places = {ranked.group: ranked.ranks.set_index("system")["rank"].to_dict() for ranked in found.ranked}
    assert places == {"extra": {"extra": 1}, "standard": {"one": 1, "two": 2}}
    assert found.ranked[1].ranks["probability_best"].sum() == pytest.approx(1)
    assert len(found.pairs) == 6
    assert set(found.systems["system"]) == set(scores)


def test_systems_alike_share_their_place() -> None:
    base = np.random.default_rng(4).normal(size=20)
    found = compare(pd.DataFrame({"a": base, "b": base, "c": base - 5}))
    ranks = found.ranked[0].ranks.set_index("system")
    assert ranks.loc[["a", "b"], "rank"].tolist() == [1, 1]
    assert ranks.loc[["a", "b", "c"], "probability_best"].tolist() == [0.5, 0.5, 0]
    assert pair(found, "a", "b")["p"] == 1


def test_what_one_pair_holds_leaves_the_test_of_another_as_it_was() -> None:
    base = np.random.default_rng(5).normal(size=20)
    other = base + np.random.default_rng(6).normal(0.3, 1, 20)
    alone = compare(pd.DataFrame({"a": base, "b": other})).pairs.iloc[0]["p"]
    with_twin = compare(pd.DataFrame({"a": base, "b": other, "twin": base}))
    assert pair(with_twin, "a", "b")["p"] == alone


def test_the_mean_reverses_an_order() -> None:
    scores = pd.DataFrame({"steady": [1.0, 1.0, 1.0], "wild": [0.9, 0.9, 9.0], "low": [0.0, 0.0, 0.0]})
    pairs = compare(scores).pairs.set_index(["a", "b"])["order_reversed"]
    assert pairs.to_dict() == {("steady", "wild"): True, ("steady", "low"): False, ("wild", "low"): False}


def test_means_over_windows_reverse_an_order_where_both_have_them() -> None:
    scores = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 2.0], "without": [-1.0, -1.0, -1.0]})
    means = pd.DataFrame({"a": [1.0, -9.0, 3.0], "b": [0.0, 1.0, 2.0], "without": [9.0, np.nan, 9.0]})
    pairs = compare(scores, None, means).pairs.set_index(["a", "b"])["order_reversed"]
    assert pairs.to_dict() == {("a", "b"): True, ("a", "without"): False, ("b", "without"): False}
    assert not compare(scores).pairs["order_reversed"].any()


def test_seeds_widen_the_intervals_and_are_never_tested() -> None:
    rng = np.random.default_rng(7)
    base = rng.normal(size=60)
    other = {"other": pd.DataFrame({0: base - 0.5 + rng.normal(0, 0.3, 60)})}
    steady = pd.DataFrame({seed: base for seed in range(3)})
    wild = steady + np.array([-1.0, 0.0, 1.0])  # the median over seeds is the same
    intervals = [compare({"own": own, **other}).pairs.iloc[0] for own in (steady[[0]], steady, wild)]
    assert intervals[0][["low", "high"]].tolist() == pytest.approx(intervals[1][["low", "high"]].tolist(), abs=1e-3)
    assert intervals[2]["high"] - intervals[2]["low"] > 2 * (intervals[1]["high"] - intervals[1]["low"])
    assert intervals[2]["p"] == intervals[1]["p"]


def test_the_interval_is_that_of_ten_thousand_resamples() -> None:
    rng = np.random.default_rng(8)
    for count in (7, 20, 51):
        values = rng.normal(size=count)
        drawn = np.median(values[rng.integers(0, count, (200_000, count))], axis=1)
        found = compare(pd.DataFrame({"a": values, "b": np.zeros(count)})).pairs.iloc[0]
        assert found[["low", "high"]].tolist() == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


@pytest.mark.parametrize("count", [8, 9])
def test_resampled_medians_are_those_of_the_drawn_tracks(count: int) -> None:
    values = np.random.default_rng(9).normal(size=(1, count, 2))
    found = _resampled_medians(values)
    counts = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    for row in (0, 17, RESAMPLES - 1):
        drawn = np.repeat(values[0], counts[row], axis=0)
        assert found[row] == pytest.approx(np.median(drawn, axis=0))


def test_pairs_agree_with_scikit_posthocs(rankings: dict[str, pd.DataFrame]) -> None:
    posthocs = pytest.importorskip("scikit_posthocs", reason="needs the dependency group dev")
    scores = rankings["bass"].iloc[:, :8]
    theirs = posthocs.posthoc_wilcoxon(
        scores.melt(var_name="system", value_name="score"), "score", "system", p_adjust="holm"
    )
    for _, row in compare(scores).pairs.iterrows():
        assert row["p_holm"] == pytest.approx(theirs.loc[row["a"], row["b"]], rel=1e-9, abs=1e-15)
