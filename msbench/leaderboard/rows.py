"""The rows of one ranking: medians of a model's records, gains over the floors, and ranks among their like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import fsum
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd

from msbench import records
from msbench.leaderboard.display import inference_words, is_beyond_noise
from msbench.records.metric_id import MetricId
from msbench.records.types import Record, TargetScores

SHOWN = ("SDR", "SIR", "SAR")  # ISR is in the records alone
SHOWN_NSDR = ("NSDR", *SHOWN[1:])
UNRANKED = "contaminated"  # the tier that is shown, and never ranked
TRAINING = ("standard", "unknown", "extra")  # of a model's seeds, the last counts

_ROLES = ("ceiling", "system", "floor")  # from the top of a table
_COLUMNS = (
    "dataset",
    "fingerprint",
    "metric",
    "rank",
    "model",
    "role",
    "tier",
    "data",
    "inference",
    "weights",
    "licence",
    "seeds",
    "tracks",
    "parameters",
    "rtf",
)
OPTIONAL = ("inference", "weights", "licence")  # columns of a table in which some row has words for them
_NOT_OTHERS = frozenset((*records.METRICS, "NSDR", "gain", "reason"))


@dataclass(frozen=True)
class Row:
    """One model's row of a board's table.

    Attributes:
        dataset: With its split, as "musdb18/test".
        fingerprint: Of the data; empty where it is not known.
        metric: The metric id.
        rank: Among the systems of its tier and training data; None for what has no rank, as what is contaminated.
        model: The model's label.
        role: `system`, `floor` or `ceiling`.
        tier: `measured`, `unverified`, `reported` or `contaminated`.
        data: Training data: `standard`, `extra` or `unknown`.
        inference: How it was run, in words, where that is not as by default.
        weights, licence: Of published weights, which the model has; empty for any other.
        seeds: How many records it is the median of.
        tracks: How many tracks all of its seeds were scored on.
        parameters: Zero where they are not known.
        rtf: Seconds of separation per second of audio.
        scores: {target: {score: dB}}: those shown, then the ids of other metrics.
        gains: {target: dB above the higher floor}.
    """

    dataset: str
    fingerprint: str
    metric: str
    rank: int | None
    model: str
    role: str
    tier: str
    data: str
    inference: str
    weights: str
    licence: str
    seeds: int
    tracks: int
    parameters: int
    rtf: float | None
    scores: dict[str, dict[str, float | None]]
    gains: dict[str, float | None]


def as_table(rows: list[Row]) -> pd.DataFrame:
    """The rows as a table, one column per score: "vocals SDR", and "vocals gain"; infinite above `NOISE_DB`.

    There are columns of `OPTIONAL` where a row has words for them.
    """
    headings = _headings(rows)
    table = pd.DataFrame([_columns(row, headings) for row in rows])
    table = table.drop(columns=[name for name in OPTIONAL if rows and not table[name].any()])
    return table.astype({"rank": "Int64"}) if rows else table  # of whole numbers, though some rows have none


def _columns(row: Row, headings: dict[tuple[str, str], str]) -> dict[str, Any]:
    gains = {(target, "gain"): value for target, value in row.gains.items()}
    scores = {(target, score): value for target, of in row.scores.items() for score, value in of.items()}
    decibels = {key: float("inf") if _is_infinite(key[1], value) else value for key, value in (scores | gains).items()}
    return {name: getattr(row, name) for name in _COLUMNS} | {headings[key]: v for key, v in decibels.items()}


def _is_infinite(score: str, value: float | None) -> bool:
    return score in _NOT_OTHERS and is_beyond_noise(value)


def _headings(rows: list[Row]) -> dict[tuple[str, str], str]:
    """{(target, score): heading}, no two alike: a metric called "x SDR" takes no column of a target "vocals x"."""
    keys = dict.fromkeys(
        (target, score) for row in rows for target, of in row.scores.items() for score in (*of, "gain")
    )
    found: dict[tuple[str, str], str] = {}
    taken: set[str] = set(_COLUMNS)
    for target, score in sorted(keys, key=lambda key: key[1] not in _NOT_OTHERS):  # ours first
        heading = f"{target} {score}"
        while heading in taken:
            heading = f"{heading}'"
        taken.add(heading)
        found[target, score] = heading
    return found


def shown(metric: str) -> tuple[str, ...]:
    """The scores that a board shows of a metric id; it ranks by the first."""
    return SHOWN_NSDR if MetricId.parse(metric).family.startswith("nsdr") else SHOWN


def rows_of(models: dict[str, list[Record]], dataset: str, metric: str, fingerprint: str) -> list[Row]:
    """One row per model, {label: its records} of one dataset, split and metric id; the best mean score first.

    Ranks are counted among systems of one tier and training data. A system that was not scored on all tracks that
    most rows were scored on has none: its medians are of other songs.
    """
    scores = (*shown(metric), *other_metrics_of(record for found in models.values() for record in found))
    rows = [_row(label, found, dataset, metric, fingerprint, scores) for label, found in models.items()]
    rows = _with_gains(rows, shown(metric)[0])
    usual_targets = _usual_targets(rows)
    rows.sort(key=lambda row: (_ROLES.index(row.role), -_mean_score(row, usual_targets), row.model))
    tracks = {label: _common_tracks(found) for label, found in models.items()}
    listed = Counter(track for own in tracks.values() for track in own)
    with_tracks = sum(bool(own) for own in tracks.values())
    usual = {track for track, count in listed.items() if count > with_tracks / 2}
    return _with_ranks(rows, {label for label, own in tracks.items() if not own or usual <= own})


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


def other_metrics_of(found: Iterable[Record]) -> list[str]:
    """Ids of the metrics that some of the records were scored by in addition to the one that ranks."""
    return sorted({metric for record in found for metric in record["metric"].get("beside") or ()} - _NOT_OTHERS)


def by_seed(found: list[Record], target: str, score: str) -> pd.DataFrame:
    """Scores of tracks (rows) with each training seed (columns); NaN where there is none."""
    tracks = list(dict.fromkeys(track for record in found for track in record["scores"]))
    nothing: dict[str, TargetScores] = {target: {}}
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


def over_tracks(record: Record, target: str, score: str) -> float | None:
    """A record's median over tracks; the mean, or the mean weighted by length, of a score whose id says so."""
    if MetricId.parse(score).is_by_length:
        return _mean_by_length(record, target, score)
    values = [track[target].get(score) for track in record["scores"].values()]
    if not MetricId.parse(score).is_of_means:
        return median_of(values)
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _mean_by_length(record: Record, target: str, score: str) -> float | None:
    """None where the record does not say how long its tracks are."""
    data = record["dataset"]
    seconds = dict(zip(data.get("tracks") or (), data.get("seconds") or (), strict=False))
    values = {name: track[target].get(score) for name, track in record["scores"].items()}
    known = [(seconds.get(name, 0.0), value) for name, value in values.items() if value is not None]
    whole = fsum(weight for weight, _ in known)
    return fsum(weight * value for weight, value in known) / whole if whole > 0 else None


def median_of(values: Iterable[float | None]) -> float | None:
    """Median of the values that are there."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _row(label: str, found: list[Record], dataset: str, metric: str, fingerprint: str, scores: tuple[str, ...]) -> Row:
    first = found[0]
    weights = (first.get("checkpoint") or {}).get("weights") or ""
    return Row(
        dataset=dataset,
        fingerprint=fingerprint,
        metric=metric,
        rank=None,
        model=label,
        role=first["model"]["role"],
        tier=max((records.tier_of(record) for record in found), key=records.TIERS.index),
        data=max((records.training_data_of(record) for record in found), key=TRAINING.index),
        inference="; ".join(dict.fromkeys(inference_words(record["inference"]) for record in found)),
        weights=weights,
        licence=(first["model"].get("licence") or "") if weights else "",
        seeds=len(found),
        tracks=len(_common_tracks(found)),
        parameters=first["model"]["parameters"] or 0,  # unknown where files were scored
        rtf=median_of(record["speed"]["real_time_factor"] for record in found),
        scores={
            target: {score: median_of(over_tracks(record, target, score) for record in found) for score in scores}
            for target in MetricId.parse(metric).targets
        },
        gains={},
    )


def _common_tracks(found: list[Record]) -> set[str]:
    """The tracks that all seeds were scored on."""
    return set.intersection(*(set(record["dataset"]["tracks"] or ()) for record in found))


def _with_gains(rows: list[Row], score: str) -> list[Row]:
    floors: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for target, scores in row.scores.items():
            value = scores[score]
            if row.role == "floor" and value is not None:
                floors[target].append(value)
    return [
        replace(row, gains={target: _gain(own[score], floors[target]) for target, own in row.scores.items()})
        for row in rows
    ]


def _gain(value: float | None, floors: list[float]) -> float | None:
    return value - max(floors) if floors and value is not None else None


def _with_ranks(rows: list[Row], comparable: set[str]) -> list[Row]:
    """The rows, best first, with the ranks of the systems among these models."""
    counted: Counter[tuple[str, str]] = Counter()
    ranked = []
    for row in rows:
        rank = None
        if row.role == "system" and row.tier != UNRANKED and row.model in comparable:
            counted[row.tier, row.data] += 1
            rank = counted[row.tier, row.data]
        ranked.append(replace(row, rank=rank))
    return ranked


def _usual_targets(rows: list[Row]) -> list[str]:
    """The targets that half of the rows or more have a score of."""
    counted = Counter(
        target for row in rows for target, of in row.scores.items() if of[shown(row.metric)[0]] is not None
    )
    return [target for target, count in counted.items() if count >= len(rows) / 2]


def _mean_score(row: Row, targets: list[str]) -> float:
    """Mean over targets of the score that ranks; rows of fewer targets stand below the others of their role."""
    values = [row.scores[target][shown(row.metric)[0]] for target in targets]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) - 1000 * (len(values) - len(known)) if known else float("-inf")
