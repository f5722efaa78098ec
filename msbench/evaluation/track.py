"""One track scored: museval's JSON object, and what msbench adds to it under names that begin with `msbench_`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from msbench import records
from msbench.data.track import MIXTURE, Track
from msbench.evaluation.excerpts import Excerpts, keep
from msbench.evaluation.options import Scoring
from msbench.evaluation.scenarios import Scenario, own_scenario
from msbench.evaluation.signals import Signals, TimeFirst
from msbench.evaluation.sources import Estimates, EstimateSource, reader
from msbench.metrics import bss_eval, bsseval, catalogue
from msbench.metrics.products import Products
from msbench.records.frames import medians_over_windows
from msbench.records.types import Frame, TrackResult, TrackScores
from msbench.system import memory
from msbench.system.errors import located

NO_WINDOW = "no window in which every reference and estimate sounds"
PERFECT = "infinite, because what it divides by is zero"


class Task(NamedTuple):
    """What is to be scored of one track, from one separation."""

    track: Track
    scenarios: list[Scenario]


def score_track(
    source: EstimateSource, task: Task, scoring: Scoring, excerpts: Excerpts | None = None
) -> list[TrackResult]:
    """Get the estimates of one track and score them, reading block by block.

    Args:
        source: Gives the estimates.
        task: The track, and what is scored together.
        scoring: How.
        excerpts: Which tracks are kept as audio too.

    Returns:
        A result for each scenario.

    Raises:
        ValueError: Naming the track, if an estimate holds what is not finite or a model cannot take the track.
        FileNotFoundError: If a file has been removed.
    """
    track = task.track
    with located(f"track '{track.name}'"), source.estimates(track) as found:
        if excerpts is not None and excerpts.wants(track):
            keep(excerpts, track, source.targets, own_scenario(source, track).read(source.estimated, found.read))
        return [_scored(found, source.estimated, track, scenario, scoring) for scenario in task.scenarios]


def _scored(found: Estimates, estimated: list[str], track: Track, scenario: Scenario, scoring: Scoring) -> TrackResult:
    """The scores of one scenario."""
    together, targets = list(scenario.sums), scenario.targets
    shape = (len(together), track.channels, track.frames)
    mixture = None if scenario.rest is None else reader(track, [MIXTURE])
    files = [str(track.files.get(target, target)) for target in together]
    names = dict(zip(estimated, found.names, strict=True))
    sums = [" + ".join(names[part] for part in parts) for parts in scenario.sums.values()]
    estimates = Signals(shape, scenario.read(estimated, found.read), sums, track.sample_rate, mixture)
    references = Signals(shape, reader(track, together), files, track.sample_rate, mixture)
    values, silent, others = _values(estimates, references, track, scenario, scoring)
    ids = catalogue.metric_ids(scenario.metrics(scoring.metrics), targets)
    return {
        "targets": [{"name": target, "frames": _frames(values[:, s])} for s, target in enumerate(targets)],
        "museval_version": "0.4.1",
        "msbench_beside": {
            target: {ids[name]: value if np.isfinite(value) else None for name, value in of_target.items()}
            for target, of_target in others.items()
        },
        "msbench_reasons": _reasons(targets, values, silent, others),
        "msbench_seconds": found.seconds,
        "msbench_peak_bytes": memory.peak_bytes(),
    }


def _values(
    estimates: Signals, references: Signals, track: Track, scenario: Scenario, scoring: Scoring
) -> tuple[np.ndarray, list[str], dict[str, dict[str, float]]]:
    """BSSEval's values (4, S, windows), which sources are silent from end to end, and the other metrics by target."""
    rate, targets = track.sample_rate, scenario.targets
    mixture = Signals((1, *references.shape[1:]), reader(track, [MIXTURE]), [f"the mixture of {track.name}"], rate)
    products = Products.of(estimates, references, mixture)
    silent = [
        f"the {kind} of {targets[i]} is silent from end to end"
        for kind, flags in (("estimate", products.silent_estimates), ("reference", products.silent_references))
        for i in np.flatnonzero(flags)
    ]
    if silent:  # where BSSEval is undefined
        values = np.full((4, len(targets), len(bsseval.windows(rate, rate, track.frames))), np.nan)
    else:
        # strict would hand a track to museval where its own number is rounding noise (the SAR of the mixture, say).
        device = None if str(scoring.device) == "cpu" else scoring.device  # on the CPU numpy is faster than torch
        signals = TimeFirst(references), TimeFirst(estimates)
        values = np.stack(bss_eval(*signals, rate, rate, backend=scoring.backend, strict=False, device=device)[:4])
    whole = catalogue.ScoredTrack(targets, products, estimates, references, mixture, rate, windows=values[bsseval.SDR])
    others = catalogue.score(scenario.metrics(scoring.metrics), whole)
    return values, silent, others


def _reasons(
    targets: list[str], values: np.ndarray, silent: list[str], others: dict[str, dict[str, float]]
) -> dict[str, str]:
    """{target: why some of its values are missing}, of those that lack any."""
    reasons = {}
    for s, target in enumerate(targets):
        why = _reason(values[:, s], silent)
        why += [catalogue.reason(name, value) for name, value in others[target].items() if not np.isfinite(value)]
        if why:
            reasons[target] = "; ".join(why)
    return reasons


def _frames(values: np.ndarray) -> list[Frame]:
    """museval's frames of one target, from BSSEval's values (4, windows)."""
    return [
        {
            "time": float(w),
            "duration": 1.0,
            "metrics": {name: _rounded(each) for name, each in zip(records.METRICS, value, strict=True)},
        }
        for w, value in enumerate(values.T)
    ]


def _reason(values: np.ndarray, silent: list[str]) -> list[str]:
    """Why some of BSSEval's (4, windows) of a target have no median, if any has none."""
    without = [name for name, each in zip(records.METRICS, values, strict=True) if not np.isfinite(each).any()]
    why = silent[0] if silent else PERFECT if np.isinf(values).any() else NO_WINDOW
    return [f"{', '.join(without)}: {why}"] if without else []


def track_scores(result: TrackResult) -> TrackScores:
    """What the record holds of a track: BSSEval's medians over the windows with a score, and the other metrics."""
    scores: TrackScores = {}
    for target in result["targets"]:
        name = target["name"]
        scores[name] = medians_over_windows(target["frames"]) | result["msbench_beside"][name]
        if name in result["msbench_reasons"]:
            scores[name]["reason"] = result["msbench_reasons"][name]
    return scores


def _rounded(value: float) -> float:
    return round(float(value), 5) if np.isfinite(value) else float("nan")  # as museval's TrackStore keeps them
