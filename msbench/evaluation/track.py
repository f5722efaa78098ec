"""One track scored: museval's JSON object, and beside it what msbench adds under names that begin with msbench_."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from msbench import records
from msbench.data.track import MIXTURE, Track
from msbench.evaluation.excerpts import Excerpts, keep
from msbench.evaluation.signals import Signals, TimeFirst
from msbench.evaluation.sources import Source, reader
from msbench.metrics import bss_eval
from msbench.metrics import catalogue as beside
from msbench.metrics.bsseval import score as bsseval
from msbench.metrics.products import Products
from msbench.system.errors import located

REST = "rest"  # what a model of few targets leaves of the mixture, scored beside them
NO_WINDOW = "no window in which every reference and estimate sounds"
ORDER = {"SDR": bsseval.SDR, "SIR": bsseval.SIR, "SAR": bsseval.SAR, "ISR": bsseval.ISR}  # of museval's files
PERFECT = "infinite, what it divides by is nought"


@dataclass(frozen=True)
class Settings:
    """How tracks are scored.

    Attributes:
        backend: Of BSSEval.
        beside: Names of the metrics beside it (`msbench.metrics.catalogue`).
        device: Where BSSEval's correlations run; on the CPU when None. It does not change the numbers.
        excerpts: Which tracks are kept as audio too; it does not change them either.
    """

    backend: str = "fast"
    beside: tuple[str, ...] = beside.DEFAULT
    device: str | None = None
    excerpts: Excerpts | None = None


def scored_targets(targets: list[str], track: Track) -> list[str]:
    """The targets, and the rest of the mixture where they are not all that is in it.

    SIR and SAR need all that is in the mixture.
    """
    return [*targets, *([] if track.covers(targets) else [REST])]


def score_track(source: Source, track: Track, settings: Settings) -> dict[str, Any]:
    """Get the estimates of one track and score them, reading block by block.

    Raises:
        ValueError: Naming the track, if an estimate holds what is not finite or a model cannot take the track.
        FileNotFoundError: If a file has been removed.
    """
    with located(f"track '{track.name}'"), source.estimates(track) as found:
        shape = (len(source.targets), track.channels, track.frames)
        mixture = None if track.covers(source.targets) else reader(track, [MIXTURE])
        files = [str(track.files.get(target, target)) for target in source.targets]
        if settings.excerpts is not None and settings.excerpts.wants(track):
            keep(settings.excerpts, track, source.targets, found.read)
        estimates = Signals(shape, found.read, found.names, track.sample_rate, mixture)
        references = Signals(shape, reader(track, source.targets), files, track.sample_rate, mixture)
        return {
            **_scores(estimates, references, track, scored_targets(source.targets, track), settings),
            "msbench_seconds": found.seconds,
            "msbench_peak_bytes": _peak_bytes(),
        }


def _scores(
    estimates: Signals, references: Signals, track: Track, targets: list[str], settings: Settings
) -> dict[str, Any]:
    rate = track.sample_rate
    mixture = Signals((1, *references.shape[1:]), reader(track, [MIXTURE]), [f"the mixture of {track.name}"], rate)
    products = Products.of(estimates, references, mixture)
    silent = [
        f"the {kind} of {targets[i]} is silent from end to end"
        for kind, flags in zip(("estimate", "reference"), products.silent, strict=True)
        for i in np.flatnonzero(flags)
    ]
    if silent:
        values = np.full((4, len(targets), len(bsseval.windows(rate, rate, track.frames))), np.nan)
    else:
        # strict would hand a track to museval where its own number is rounding noise (the SAR of the mixture, say).
        signals = TimeFirst(references), TimeFirst(estimates)
        values = np.stack(
            bss_eval(*signals, rate, rate, backend=settings.backend, strict=False, device=settings.device)[:4]
        )
    others = beside.score(settings.beside, products, estimates, references, targets, rate, values[bsseval.SDR])
    ids = beside.metric_ids(settings.beside, targets)
    reasons = {}
    for of_target, target in zip(values.swapaxes(0, 1), targets, strict=True):
        why = _reason(of_target, silent)
        why += [beside.reason(name, value) for name, value in others[target].items() if not np.isfinite(value)]
        if why:
            reasons[target] = "; ".join(why)
    return {
        "targets": [
            {"name": target, "frames": _frames(of_target)}
            for of_target, target in zip(values.swapaxes(0, 1), targets, strict=True)
        ],
        "museval_version": "0.4.1",
        "msbench_beside": {
            target: {ids[name]: value if np.isfinite(value) else None for name, value in found.items()}
            for target, found in others.items()
        },
        "msbench_reasons": reasons,
    }


def _frames(values: np.ndarray) -> list[dict[str, Any]]:
    """museval's frames of one target, from BSSEval's values (4, windows)."""
    return [
        {
            "time": float(w),
            "duration": 1.0,
            "metrics": {name: _rounded(value[index]) for name, index in ORDER.items()},
        }
        for w, value in enumerate(values.T)
    ]


def _reason(values: np.ndarray, silent: list[str]) -> list[str]:
    """Why some of BSSEval's (4, windows) of a target have no median, if any has none."""
    without = [name for name, index in ORDER.items() if not np.isfinite(values[index]).any()]
    why = silent[0] if silent else PERFECT if np.isinf(values).any() else NO_WINDOW
    return [f"{', '.join(without)}: {why}"] if without else []


def track_scores(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{target: {metric: value or null}}: BSSEval's medians over windows, those without one left out; and the rest."""
    scores: dict[str, dict[str, Any]] = {}
    for target in result["targets"]:
        name = target["name"]
        scores[name] = {}
        for metric in records.METRICS:
            values = [f["metrics"][metric] for f in target["frames"] if np.isfinite(f["metrics"][metric])]
            scores[name][metric] = float(np.median(values)) if values else None
        scores[name] |= result["msbench_beside"][name]
        if name in result["msbench_reasons"]:
            scores[name]["reason"] = result["msbench_reasons"][name]
    return scores


def _rounded(value: float) -> float:
    return round(float(value), 5) if np.isfinite(value) else float("nan")  # as museval's TrackStore keeps them


def _peak_bytes() -> int:
    """The most memory that this process has held; not ru_maxrss, which a child inherits from its parent."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
