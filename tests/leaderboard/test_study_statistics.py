"""The statistics of a study against cases worked by hand, and against scipy's own calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from msbench.leaderboard.study_statistics import against_baseline, axes_of, main_effects, smallest_p

BASE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
STEPS = np.arange(1.0, 7.0)


def seeds(*columns: np.ndarray) -> pd.DataFrame:
    """Tracks by seeds."""
    return pd.DataFrame(
        {i: values for i, values in enumerate(columns)}, index=[f"t{i}" for i in range(len(columns[0]))]
    )


def test_differences_to_the_baseline_by_hand() -> None:
    cells = {
        "base": seeds(BASE),
        "above": seeds(BASE + STEPS),  # all of one sign: 2 of 64 signs are as far, p = 1/32
        "mixed": seeds(BASE + STEPS * [-1, 1, -1, 1, -1, 1]),  # ranks of one sign sum to 9 and 12 of 21: p = 0.84375
        "below": seeds(BASE - STEPS),
    }
    lines = against_baseline(cells, "base", lower_is_better=False)
    assert lines["median"].tolist() == [3.5, 7.0, 2.0, 0.0]
    assert lines.loc[["above", "mixed", "below"], "difference"].tolist() == [3.5, 0.5, -3.5]
    assert lines.loc[["above", "mixed", "below"], "p"].tolist() == [1 / 32, 0.84375, 1 / 32]
    # Holm over three: the smallest times 3, the next times 2 but no less, the last times 1.
    assert lines.loc[["above", "below", "mixed"], "p_holm"].tolist() == [3 / 32, 3 / 32, 0.84375]
    assert lines["verdict"].tolist() == ["baseline", *["not distinguished"] * 3]
    assert lines.loc["base", ["difference", "low", "high", "p", "p_holm"]].isna().all()


def test_the_verdict_follows_the_direction_of_the_score() -> None:
    ten = np.arange(1.0, 11.0)
    cells = {"base": seeds(ten), "up": seeds(2 * ten), "down": seeds(ten / 2), "same": seeds(ten)}
    for lower, verdicts in ((False, ["better", "worse"]), (True, ["worse", "better"])):
        lines = against_baseline(cells, "base", lower)
        assert lines.loc[["up", "down"], "p"].tolist() == [2 / 1024, 2 / 1024]
        assert lines.loc[["up", "down"], "verdict"].tolist() == verdicts
        assert lines.loc["same", "verdict"] == "not distinguished"


def test_the_family_is_the_comparisons_with_the_baseline_alone() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=20)
    cells = {"base": seeds(base), **{f"c{i}": seeds(base + rng.normal(0.3, 1, 20)) for i in range(4)}}
    lines = against_baseline(cells, "base", lower_is_better=False)
    names = [f"c{i}" for i in range(4)]
    theirs = [stats.wilcoxon(cells[name][0], base, method="exact").pvalue for name in names]
    assert lines.loc[names, "p"].tolist() == pytest.approx(theirs, rel=1e-12)
    order = np.argsort(theirs)
    stepped = np.maximum.accumulate(np.sort(theirs) * [4, 3, 2, 1]).clip(max=1)
    assert lines.loc[[names[i] for i in order], "p_holm"].tolist() == pytest.approx(stepped.tolist(), rel=1e-12)


def test_seeds_lie_within_a_cell_and_their_spread_is_shown() -> None:
    cells = {"base": seeds(BASE), "own": seeds(BASE - 1, BASE + 1, BASE + 5)}
    line = against_baseline(cells, "base", lower_is_better=False).loc["own"]
    assert (line["seeds"], line["median"], line["seed_spread"], line["difference"]) == (3, 4.5, 6.0, 1.0)
    assert line["p"] == 1 / 32  # six tracks, however many seeds
    assert line["low"] < 1.0 < line["high"]  # the seeds' luck is in the interval, though each track differs by 1


def test_tracks_that_one_side_lacks_are_left_out() -> None:
    lacking = BASE.copy()
    lacking[:2] = np.nan
    cells = {"base": seeds(BASE), "few": seeds(lacking + 1), "none": seeds(np.full(6, np.nan)), "one": seeds(BASE)}
    cells["one"].iloc[1:] = np.nan
    lines = against_baseline(cells, "base", lower_is_better=False)
    assert lines[["tracks", "common"]].to_numpy().tolist() == [[6, 6], [4, 4], [0, 0], [1, 1]]
    assert lines.loc["few", "p"] == lines.loc["few", "p_holm"] == 1 / 8  # the others are no part of the family
    assert lines["verdict"].tolist() == ["baseline", "not distinguished", "not compared", "not compared"]


def test_without_a_baseline_nothing_is_compared() -> None:
    lines = against_baseline({"a": seeds(BASE), "b": seeds(BASE + 1)}, "gone", lower_is_better=False)
    assert lines["verdict"].tolist() == ["not compared", "not compared"]
    assert lines["median"].tolist() == [3.5, 4.5]


CELLS: dict[str, dict[str, Any]] = {
    "3t": {"depth": 3, "skip": True},
    "3f": {"depth": 3, "skip": False},
    "5t": {"depth": 5, "skip": True},
    "5f": {"depth": 5, "skip": False},
    "other": {},
}


def test_main_effects_by_hand() -> None:
    scores = {"3t": BASE, "3f": BASE - 4, "5t": BASE + STEPS, "5f": BASE + STEPS - 2, "other": BASE + 99}
    effects = main_effects({label: seeds(values) for label, values in scores.items()}, CELLS, "5t", False)
    # depth 3 less depth 5, of each track: (0 - 4) / 2 - (step + step - 2) / 2 = -1 - step, whose median is -4.5.
    # no skip less skip: ((-4) + (step - 2)) / 2 - (0 + step) / 2 = -3 on every track.
    assert effects[["factor", "level", "baseline_level"]].to_numpy().tolist() == [
        ["depth", "3", "5"],
        ["skip", "false", "true"],
    ]
    assert effects["difference"].tolist() == [-4.5, -3.0]
    assert effects["combinations"].tolist() == [2, 2]
    assert effects["p"].tolist() == [1 / 32, 1 / 32]
    assert effects["p_holm"].tolist() == [2 / 32, 2 / 32]
    assert effects.loc[1, ["low", "high"]].tolist() == [-3.0, -3.0]


def test_main_effects_are_over_combinations_that_all_levels_have() -> None:
    scores = {"3t": BASE, "5t": BASE + 1, "5f": BASE + 7}  # 3f failed
    effects = main_effects({label: seeds(values) for label, values in scores.items()}, CELLS, "5t", False)
    assert effects[["factor", "combinations", "difference"]].to_numpy().tolist() == [
        ["depth", 1, -1.0],
        ["skip", 1, 6.0],
    ]


def test_a_single_factor_has_no_main_effects() -> None:
    cells = {"a": {"depth": 3}, "b": {"depth": 5}}
    assert main_effects({"a": seeds(BASE), "b": seeds(BASE)}, cells, "a", False).empty


def test_factors_that_only_change_together_are_one() -> None:
    cells = {
        f"{depth}-{size}": {"depth": depth, "size": size, "chunks": 30 * size, "fixed": 1}
        for depth in (3, 4)
        for size in (4, 8)
    }
    assert axes_of(cells) == [("depth",), ("size", "chunks")]
    assert axes_of({"a": {"x": 1}, "b": {"x": True}}) == [("x",)]


def test_no_test_of_five_tracks_can_pass() -> None:
    assert smallest_p(5) == stats.wilcoxon(np.arange(1.0, 6.0), method="exact").pvalue == 2 / 32
    assert smallest_p(6) == 1 / 32
    assert smallest_p(0) == 1
