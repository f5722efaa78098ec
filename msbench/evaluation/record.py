"""The record of an evaluation."""

from __future__ import annotations

import statistics
import sys
from importlib.metadata import version

import numpy as np
import torch

from msbench import records
from msbench.data.track import Track
from msbench.evaluation.options import RowFacts, Scoring
from msbench.evaluation.scenarios import Scenario, Scores
from msbench.evaluation.sources import EstimateSource, ScoredSet
from msbench.evaluation.track import track_scores
from msbench.metrics.catalogue import metric_ids
from msbench.model.devices import card_name
from msbench.records import provenance
from msbench.records.frames import medians_over_windows
from msbench.records.further import ALL_WINDOWS
from msbench.records.metric_id import BSSEVAL
from msbench.records.record import songs_of, was_trained_on
from msbench.records.types import (
    Frame,
    Further,
    Metric,
    Record,
    ScoredData,
    Speed,
    TrackResult,
    TrackScores,
    Training,
)


def record_of(
    source: EstimateSource, scored: ScoredSet, scores: list[Scores], scoring: Scoring, facts: RowFacts
) -> Record:
    """All that a board needs to rank the numbers, and what they rest on.

    Args:
        source: Gave the estimates.
        scored: The tracks.
        scores: Of the source's own targets, and of further ones.
        scoring: How they were scored.
        facts: What else is known.

    Raises:
        ValueError: If what the source says of itself does not fit the schema.
    """
    tracks, own = scored.tracks, scores[0]
    origin = source.origin(tracks, facts.label)
    record: Record = {
        "schema_version": records.SCHEMA_VERSION,
        "model": origin.model,
        "checkpoint": origin.checkpoint,
        "training": trained_on(origin.training, scored.data.name, scored.split),
        "inference": origin.inference,
        "code": provenance.code_state(),
        "dataset": _data(scored),
        "metric": _metric(scoring, own.scenario),
        "seed": origin.seed if facts.seed is None else facts.seed,
        "speed": speed(tracks, own.tracks, origin.inference["device"]),
        "environment": {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__},
        "scores": _scores(own),
    }
    further: list[Further] = [
        {"metric": _metric(scoring, each.scenario), "scores": _scores(each)} for each in scores[1:]
    ]
    if scoring.pooled:
        further += [{"metric": _pooled_metric(scoring, each.scenario), "scores": _pooled(each)} for each in scores]
    if further:
        record["further"] = further
    if facts.run is not None:
        record["run"] = facts.run()
    return records.validate(record, "the new record")  # the last step: nothing is added to a record afterwards


def _scores(scores: Scores) -> dict[str, TrackScores]:
    return {name: track_scores(result) for name, result in scores.tracks.items()}


def _pooled(scores: Scores) -> dict[str, TrackScores]:
    """Medians over the windows of all tracks; a window without a score counts for none, as in Wave-U-Net's code."""
    frames: dict[str, list[Frame]] = {target: [] for target in scores.scenario.targets}
    for result in scores.tracks.values():
        for found in result["targets"]:
            frames.setdefault(found["name"], []).extend(found["frames"])
    pooled: TrackScores = {}
    for target, windows in frames.items():
        pooled[target] = medians_over_windows(windows)
        if None in pooled[target].values():
            pooled[target]["reason"] = "no window with a finite score"
    return {ALL_WINDOWS: pooled}


def trained_on(training: Training, dataset: str, split: str) -> Training:
    """What a model was trained on, seen from the dataset and the split that it is scored on."""
    if not training["datasets"]:
        return training
    same = {songs_of(name) for name in training["datasets"]} == {songs_of(dataset)}
    return {**training, "data": "standard" if same and not was_trained_on(training, dataset, split) else "extra"}


def speed(tracks: list[Track], results: dict[str, TrackResult], device: str | None) -> Speed:
    """How long the separation took, over tracks, and on what.

    Args:
        tracks: The tracks.
        results: {track: result}; those of files have no seconds.
        device: Where the model ran; None where files were scored.
    """
    seconds = {track: taken for track in tracks if (taken := results[track.name]["msbench_seconds"])}
    factors = [taken / track.seconds for track, taken in seconds.items()]
    peaks = [peak for result in results.values() if (peak := result["msbench_peak_bytes"]) is not None]
    card = None if device is None else card_name(device)  # one card under both names: that which the model ran on
    return {
        "real_time_factor": round(statistics.median(factors), 4) if factors else None,
        "real_time_factor_p95": round(float(np.quantile(factors, 0.95)), 4) if factors else None,
        "seconds": round(sum(seconds.values()), 3) if factors else None,
        "peak_bytes": max(peaks, default=None),
        "hardware": card or provenance.hardware(),
        "gpu": card,
        "driver": provenance.driver() if card else None,
    }


def _data(scored: ScoredSet) -> ScoredData:
    data, split, tracks = scored
    return {
        "name": data.name,
        "version": data.version,
        "split": split,
        "fingerprint": data.fingerprint(split),
        "manifest_sha256": data.manifest_sha256,
        "sample_rate": tracks[0].sample_rate,
        "files": sorted({path.suffix.lower().lstrip(".") for track in tracks for path in track.files.values()}),
        "tracks": [track.name for track in tracks],
        "seconds": [round(track.seconds, 6) for track in tracks],
    }


def _pooled_metric(scoring: Scoring, scenario: Scenario) -> Metric:
    return {**_metric(scoring, scenario), "id": str(BSSEVAL.of(scenario.targets).pooled()), "beside": []}


def _metric(scoring: Scoring, scenario: Scenario) -> Metric:
    package = "msbench" if scoring.backend == "fast" else "museval"
    return {
        "id": str(BSSEVAL.of(scenario.targets)),
        "backend": scoring.backend,
        "implementation": f"{package} {version(package)}",
        "beside": list(metric_ids(scenario.metrics(scoring.metrics), scenario.targets).values()),
    }
