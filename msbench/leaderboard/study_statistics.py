"""What the cells of a study do to one score of one target: differences to the baseline, and main effects.

The track is the unit, as on the board: Wilcoxon's signed-rank test over the tracks that both sides have a score on,
and Holm's correction over a study's comparisons of one target and score.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from msbench.leaderboard.display import factor_value
from msbench.leaderboard.paired import ALPHA, differences, holm, median_interval, seeds_resampled

Factors = Mapping[str, Mapping[str, Any]]  # {label: {factor: value}}
BETTER, WORSE, SAME, BASELINE = "better", "worse", "not distinguished", "baseline"
UNTESTED = "not compared"  # fewer than two tracks in common with the baseline
_TESTED = ("difference", "low", "high", "p")


def smallest_p(tracks: int) -> float:
    """The least p that the test can give: all differences of one sign, of 2 to the number of tracks."""
    return float(2.0 ** (1 - tracks)) if tracks > 0 else 1.0


def against_baseline(by_seed: Mapping[str, pd.DataFrame], baseline: str, lower_is_better: bool) -> pd.DataFrame:
    """Each cell, and its paired difference to the baseline.

    Args:
        by_seed: {label: tracks x seeds}, NaN where there is no score.
        baseline: The label of the others' partner; differences are NaN where it has no scores.
        lower_is_better: Whether a negative difference is an improvement.

    Returns:
        One line per cell, by label: seeds, tracks, median (over tracks, of the median over seeds), median_low,
        median_high (its 95 % interval), seed_spread (the largest less the smallest median over tracks of a seed; NaN
        for one seed), common (tracks shared with the baseline), difference (the median over the common tracks of the
        cell minus the baseline), low, high (its interval), p, p_holm and verdict.
    """
    labels = list(by_seed)
    table, resampled = _arrays(by_seed)
    values = table.to_numpy()
    lines = pd.DataFrame([_of_cell(by_seed[label], values[:, j], resampled[:, :, j]) for j, label in enumerate(labels)])
    own = labels.index(baseline) if baseline in labels else None
    lines = _judged(lines.join(_compared(values, resampled, own)), own, lower_is_better)
    return lines.set_index(pd.Index(labels, name="label"))


def main_effects(
    by_seed: Mapping[str, pd.DataFrame], cells: Factors, baseline: str, lower_is_better: bool
) -> pd.DataFrame:
    """What each level of each factor does, averaged over the other factors; empty where fewer than two factors vary.

    A level's score of a track is the mean over its cells. Only combinations of the other factors that every level has
    a scored cell of are averaged, so that levels are compared at the same settings. Factors that only change together
    are one.

    Returns:
        One line per factor and level but the baseline's: factor, level, baseline_level, combinations (how many are
        averaged), common, difference, low, high, p, p_holm (over all lines) and verdict.
    """
    axes = axes_of(cells)
    known = [label for label, values in by_seed.items() if values.notna().any(axis=None)]
    crossed = [label for label in known if all(factor in cells[label] for axis in axes for factor in axis)]
    if len(axes) < 2 or baseline not in cells or not crossed:
        return pd.DataFrame()
    table, resampled = _arrays({label: by_seed[label] for label in crossed})
    found = []
    for axis in axes:
        grid = _grid({label: cells[label] for label in crossed}, axis, axes)
        first = _key(cells[baseline], axis)
        if first not in grid or len(grid) < 2:
            continue
        shared = [combination for combination in grid[first] if all(combination in each for each in grid.values())]
        columns = [[crossed.index(of_level[each]) for each in shared] for of_level in grid.values()]
        averaged, drawn = _averaged(table.to_numpy(), columns), _averaged(resampled, columns)
        keys = list(grid)
        names = {key: words_of_level(cells, axis, key) for key in keys}
        own = keys.index(first)
        lines = _compared(averaged, drawn, own).drop(index=own)
        lines.insert(0, "factor", ", ".join(axis))
        lines.insert(1, "level", [names[key] for key in keys if key != first])
        lines.insert(2, "baseline_level", names[first])
        lines.insert(3, "combinations", len(shared))
        found.append(lines)
    return _judged(pd.concat(found, ignore_index=True), None, lower_is_better) if found else pd.DataFrame()


def axes_of(cells: Factors) -> list[tuple[str, ...]]:
    """The factors that vary; those of which each value comes with one value of the other are one axis."""
    whole = [values for values in cells.values() if values]
    factors = dict.fromkeys(factor for values in whole for factor in values)
    axes: list[tuple[str, ...]] = []
    for factor in factors:
        held = [values for values in whole if factor in values]
        if len({_plain(values[factor]) for values in held}) < 2:
            continue
        for i, axis in enumerate(axes):
            pairs = {(_key(values, axis), _plain(values[factor])) for values in held if axis[0] in values}
            if len(pairs) == len({left for left, _ in pairs}) == len({right for _, right in pairs}) > 1:
                axes[i] = (*axis, factor)
                break
        else:
            axes.append((factor,))
    return axes


def words_of_level(cells: Factors, axis: tuple[str, ...], key: Hashable) -> str:
    """A level as pages write it: "6", or "4, 120" of two factors that change together."""
    values = next(values for values in cells.values() if values.keys() >= set(axis) and _key(values, axis) == key)
    return ", ".join(factor_value(values[factor]) for factor in axis)


def _plain(value: Any) -> Hashable:
    return factor_value(value), isinstance(value, bool)  # `==` takes 1 for true


def _key(values: Mapping[str, Any], axis: tuple[str, ...]) -> Hashable:
    return tuple(_plain(values.get(factor)) for factor in axis)


def _grid(cells: Factors, axis: tuple[str, ...], axes: list[tuple[str, ...]]) -> dict[Hashable, dict[Hashable, str]]:
    """{level of the axis: {combination of the others: label}}."""
    found: dict[Hashable, dict[Hashable, str]] = {}
    for label, values in cells.items():
        others = tuple(_key(values, each) for each in axes if each != axis)
        found.setdefault(_key(values, axis), {}).setdefault(others, label)
    return found


def _averaged(values: np.ndarray, columns: list[list[int]]) -> np.ndarray:
    """(..., tracks, cells) to (..., tracks, levels): the mean over a level's cells, NaN where one has no score."""
    if not columns[0]:
        return np.full((*values.shape[:-1], len(columns)), np.nan)
    return np.stack([values[..., of_level].mean(axis=-1) for of_level in columns], axis=-1)


def _arrays(by_seed: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, np.ndarray]:
    """Medians over seeds (tracks x cells), and the same with the seeds resampled."""
    frames = {label: values.astype(float) for label, values in by_seed.items()}
    table = pd.DataFrame({label: values.median(axis=1) for label, values in frames.items()})
    return table, seeds_resampled(frames, table)


def _of_cell(seeds: pd.DataFrame, values: np.ndarray, resampled: np.ndarray) -> dict[str, Any]:
    known = ~np.isnan(values)
    of_seeds = seeds.median(axis=0).dropna()
    spread = float(of_seeds.max() - of_seeds.min()) if len(of_seeds) > 1 else np.nan
    found = {"seeds": seeds.shape[1], "tracks": int(known.sum())}
    if not known.any():
        return {**found, "median": np.nan, "median_low": np.nan, "median_high": np.nan, "seed_spread": spread}
    (low,), (high,) = median_interval(resampled[:, known, None])
    return {
        **found,
        "median": float(np.median(values[known])),
        "median_low": low,
        "median_high": high,
        "seed_spread": spread,
    }


def _compared(values: np.ndarray, resampled: np.ndarray, own: int | None) -> pd.DataFrame:
    """One line per column of the values against that of the baseline; empty of itself, and where it is absent."""
    count = values.shape[1]
    found = pd.DataFrame(np.nan, index=range(count), columns=[*_TESTED])
    found.insert(0, "common", 0)
    if own is None:
        return found
    found.loc[own, "common"] = int((~np.isnan(values[:, own])).sum())
    others = np.array([j for j in range(count) if j != own], int)
    if len(others):
        tested = differences(values, resampled, others, np.full(len(others), own))
        found.loc[others, "common"] = tested["n"]
        for name, column in zip(_TESTED, ("median_difference", "low", "high", "p"), strict=True):
            found.loc[others, name] = tested[column]
    return found


def _judged(lines: pd.DataFrame, own: int | None, lower_is_better: bool) -> pd.DataFrame:
    """The lines with Holm's correction over those that have a difference, and a verdict each.

    Args:
        lines: Of `_compared`.
        own: The baseline's line, where it is among them.
        lower_is_better: Whether a negative difference is an improvement.
    """
    tested = lines["difference"].notna().to_numpy()
    corrected = np.full(len(lines), np.nan)
    corrected[tested] = holm(lines["p"].to_numpy()[tested])
    gains = lines["difference"].to_numpy() * (-1 if lower_is_better else 1)
    verdicts = np.where(corrected > ALPHA, SAME, np.where(gains > 0, BETTER, np.where(gains < 0, WORSE, SAME)))
    verdicts = np.where(tested, verdicts, UNTESTED).astype(object)
    if own is not None:
        verdicts[own] = BASELINE
    return lines.assign(p=lines["p"].where(tested), p_holm=corrected, verdict=verdicts)
