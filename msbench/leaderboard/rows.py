"""The rows of one ranking: medians of a model's records, gains over the floors, and ranks among their like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd

from msbench import records
from msbench.records.metric_id import MetricId
from msbench.records.types import Record

SHOWN = ("SDR", "SIR", "SAR")
SHOWN_NSDR = ("NSDR", "SIR", "SAR")
TRAINING = ("standard", "unknown", "extra")  # of a model's seeds, the last counts


def shown(metric: str) -> tuple[str, ...]:
    """The scores that a board shows of a metric id; it ranks by the first."""
    return SHOWN_NSDR if MetricId.parse(metric).family.startswith("nsdr") else SHOWN


def rows_of(models: dict[str, list[Record]], dataset: str, metric: str, fingerprint: str) -> list[dict[str, Any]]:
    """One row a model, {label: its records} of one dataset, split and metric id; the best mean score first.

    Ranks are counted among systems of one tier and training data. A system that was not scored on all tracks that
    most rows were scored on has none: its medians are of other songs.
    """
    scores = (*shown(metric), *beside_of(record for found in models.values() for record in found))
    rows = [_row(label, found, dataset, metric, fingerprint, scores) for label, found in models.items()]
    _add_gains(rows, metric)
    tracks = {label: _tracks(found) for label, found in models.items()}
    listed = Counter(track for own in tracks.values() for track in own)
    with_tracks = sum(bool(own) for own in tracks.values())
    usual = {track for track, count in listed.items() if count > with_tracks / 2}
    order = {"ceiling": 0, "system": 1, "floor": 2}
    rows.sort(key=lambda row: (order[row["role"]], -_mean_score(row, metric), row["model"]))
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        own = tracks[row["model"]]
        row["tracks"] = len(own)
        if row["role"] == "system" and (not own or usual <= own):
            place = row["tier"], row["data"]
            counted[place] += 1
            row["rank"] = counted[place]
    return rows


@dataclass(frozen=True)
class Part:
    """The rows of a board's table that are ranked together."""

    dataset: str
    metric: str
    targets: list[str]
    rows: pd.DataFrame


def parts_of(table: pd.DataFrame) -> list[Part]:
    """The parts of a board's table, in its order; their targets stand in one order throughout the board."""
    if not len(table):
        return []
    order = list(
        dict.fromkeys(target for metric in table["metric"].unique() for target in MetricId.parse(metric).targets)
    )
    parts = []
    for (dataset, metric, _), rows in table.groupby(["dataset", "metric", "fingerprint"], sort=False):
        own = MetricId.parse(str(metric)).targets
        parts.append(Part(str(dataset), str(metric), [target for target in order if target in own], rows))
    return parts


def beside_of(found: Iterable[Record]) -> list[str]:
    """Metric ids that some of the records were scored by beside the one that ranks."""
    return sorted({metric for record in found for metric in record["metric"].get("beside") or ()})


def by_seed(found: list[Record], target: str, score: str) -> pd.DataFrame:
    """Scores of tracks (rows) with each training seed (columns); NaN where there is none."""
    tracks = list(dict.fromkeys(track for record in found for track in record["scores"]))
    nothing: dict[str, dict[str, Any]] = {target: {}}
    values = [[record["scores"].get(track, nothing)[target].get(score) for record in found] for track in tracks]
    return pd.DataFrame(np.array(values, dtype=float).reshape(len(tracks), len(found)), index=tracks)


def medians_of(seeds: pd.DataFrame) -> pd.Series[float]:
    """{track: median over seeds}; NaN where no seed has a value."""
    values = seeds.to_numpy()
    if values.shape[1] == 1:
        return seeds.iloc[:, 0]
    known = ~np.isnan(values).all(axis=1)
    medians = np.full(len(values), np.nan)
    medians[known] = np.nanmedian(values[known], axis=1)
    return pd.Series(medians, index=seeds.index)


def _tracks(found: list[Record]) -> set[str]:
    """That all seeds were scored on."""
    listed = [set(record["dataset"]["tracks"] or ()) for record in found]
    return set.intersection(*listed)


def _row(
    label: str, found: list[Record], dataset: str, metric: str, fingerprint: str, scores: tuple[str, ...]
) -> dict[str, Any]:
    first = found[0]
    row: dict[str, Any] = {
        "dataset": dataset,
        "fingerprint": fingerprint,
        "metric": metric,
        "rank": None,
        "model": label,
        "role": first["model"]["role"],
        "tier": max((records.tier_of(record) for record in found), key=records.TIERS.index),
        "data": max((records.training_data_of(record) for record in found), key=TRAINING.index),
        "seeds": len(found),
        "tracks": 0,
        "parameters": first["model"]["parameters"] or 0,  # unknown where files were scored
        "rtf": median_of(record["speed"]["real_time_factor"] for record in found),
    }
    for target in MetricId.parse(metric).targets:
        for score in scores:
            row[f"{target} {score}"] = median_of(over_tracks(record, target, score) for record in found)
    return row


def over_tracks(record: Record, target: str, score: str) -> float | None:
    """A record's median over tracks; the mean of a score whose id says so."""
    values = [track[target].get(score) for track in record["scores"].values()]
    if not MetricId.parse(score).is_of_means:
        return median_of(values)
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def median_of(values: Iterable[float | None]) -> float | None:
    """Of the values that are there."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _add_gains(rows: list[dict[str, Any]], metric: str) -> None:
    score = shown(metric)[0]
    for target in MetricId.parse(metric).targets:
        column = f"{target} {score}"
        floors = [row[column] for row in rows if row["role"] == "floor" and row[column] is not None]
        for row in rows:
            own = row[column]
            row[f"{target} gain"] = own - max(floors) if floors and own is not None else None


def _mean_score(row: dict[str, Any], metric: str) -> float:
    values = [row[f"{target} {shown(metric)[0]}"] for target in MetricId.parse(metric).targets]
    known = [value for value in values if value is not None]
    # Fewer targets than others: below them, among their like.
    return sum(known) / len(known) - 1000 * (len(values) - len(known)) if known else float("-inf")
