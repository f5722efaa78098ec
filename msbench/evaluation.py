"""Evaluation: a model and a dataset give one record, and museval's own JSON for each track."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msbench import records, registry
from msbench.checkpoints import create, load, read_checkpoint, sha256_of
from msbench.data.dataset import Dataset, open_dataset
from msbench.data.track import Track
from msbench.metrics import bss_eval
from msbench.separation import adaptation, separate
from msbench.separator import Separator, parameter_count

REST = "rest"  # what a model of few targets leaves of the mixture, scored beside them


def evaluate(
    model: Separator | str | Path,
    dataset: Dataset | str,
    *,
    root: str | Path | None = None,
    split: str = "test",
    checkpoint: str | Path | None = None,
    output: str | Path | None = None,
    label: str | None = None,
    seed: int | None = None,
    backend: str = "fast",
    chunk_seconds: float = 10.0,
    overlap: float = 0.25,
    batch_size: int = 1,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int, str, dict[str, float]], None] | None = None,
) -> dict[str, Any]:
    """Separate and score every track of a split; a second run goes on where the first stopped.

    Args:
        model: A separator, a registered name, or a checkpoint's path.
        dataset: A dataset or a registered name.
        root: The dataset's folder.
        split: Which tracks.
        checkpoint: Weights for a model given by name; for one given as a separator, the file they came from.
        output: Folder for museval's per-track JSON (<output>/<split>/<track>.json); nothing is kept when None.
        label: Name of the row on a board; the model's registered name when None.
        seed: The training's seed, for the record.
        backend: `fast` or `museval`, the same numbers (`msbench.bss_eval`).
        chunk_seconds, overlap, batch_size: As `msbench.separate`.
        device: Where the model runs.
        progress: Called after each track with (tracks done, tracks, the track's name, running median SDR by target).

    Returns:
        A record (see `msbench.records`).

    Raises:
        ValueError: If the dataset lacks a target of the model or has no such split.
    """
    data = open_dataset(dataset, root) if isinstance(dataset, str) else dataset
    separator, checkpoint = _model(model, checkpoint, data)
    separator.to(device)
    missing = [target for target in separator.targets if target not in data.targets]
    if missing:
        raise ValueError(f"dataset '{data.name}' has no target {missing[0]}: it has {', '.join(data.targets)}")
    tracks = data.tracks(split)
    if not tracks:
        raise ValueError(f"dataset '{data.name}' has no tracks in split '{split}': it has {', '.join(data.splits)}")

    targets = [*separator.targets, *([] if tracks[0].covers(separator.targets) else [REST])]
    metric = metric_id(targets)
    weights = None if checkpoint is None else sha256_of(checkpoint)
    registered = separator.registered or {"name": type(separator).__name__, "options": {}}
    inference = {"chunk_seconds": chunk_seconds, "overlap": overlap, "batch_size": batch_size,
                 "device": str(device), "dtype": "float32"}  # fmt: skip
    key = records.digest([registered, weights, metric, backend, inference, data.fingerprint(split)])

    results: dict[str, dict[str, Any]] = {}
    for done, track in enumerate(tracks, 1):
        path = None if output is None else Path(output) / split / f"{track.name}.json"
        result = _read_result(path, key)
        if result is None:
            result = {**score_track(separator, track, backend, chunk_seconds, overlap, batch_size), "msbench_key": key}
            if path is not None:
                # museval writes NaN where a window has no score, and so its readers expect it.
                path.parent.mkdir(parents=True, exist_ok=True)
                records.write_text(path, json.dumps(result, indent=1))
        results[track.name] = result
        if progress is not None:
            progress(done, len(tracks), track.name, _running_medians(results))

    factors = [
        result["msbench_seconds"] / track.seconds for result, track in zip(results.values(), tracks, strict=True)
    ]
    return records.validate(
        {
            "schema_version": records.SCHEMA_VERSION,
            "model": {
                **registered,
                "label": label or registered["name"],
                "role": separator.role,
                "config_sha256": records.digest(registered),
                "parameters": parameter_count(separator),
                "targets": separator.targets,
                "adaptation": adaptation(separator, tracks[0].sample_rate, tracks[0].channels),
            },
            "checkpoint": None if checkpoint is None else _provenance(Path(checkpoint), weights),
            "code": records.code_state(),
            "dataset": {
                "name": data.name, "version": data.version, "split": split, "fingerprint": data.fingerprint(split),
                "sample_rate": tracks[0].sample_rate, "tracks": [track.name for track in tracks],
            },
            "inference": inference,
            "metric": {"id": metric, "backend": backend},
            "seed": seed,
            "speed": {
                "real_time_factor": round(statistics.median(factors), 4),
                "seconds": round(sum(result["msbench_seconds"] for result in results.values()), 3),
                "peak_bytes": _peak_bytes(),
                "hardware": records.hardware() if str(device) == "cpu" else torch.cuda.get_device_name(device),
            },
            "environment": {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__},
            "scores": {name: _track_scores(result) for name, result in results.items()},
        },
        "the new record",
    )  # fmt: skip


def metric_id(targets: list[str]) -> str:
    """Everything that changes the number, in one line; different ids are never ranked together.

    The targets are sorted: which are scored together counts, their order does not.
    """
    return f"bsseval-v4;win=1;hop=1;filters=512;agg=median-median;targets={','.join(sorted(targets))}"


def score_track(
    separator: Separator, track: Track, backend: str, chunk_seconds: float, overlap: float, batch_size: int
) -> dict[str, Any]:
    """Separate one track and score it: museval's JSON object, with the separation's seconds beside.

    A model of some of the stems is scored with the rest of the mixture as one more target, since SIR and SAR need all
    that is in the mixture.
    """
    mixture = track.read("mixture")
    references = np.stack([track.read(target) for target in separator.targets])  # (S, C, T)
    given = torch.from_numpy(references) if separator.needs_references else None
    started = time.perf_counter()
    separated = separate(
        separator, torch.from_numpy(mixture), track.sample_rate, references=given,
        chunk_seconds=chunk_seconds, overlap=overlap, batch_size=batch_size,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    estimates = np.stack([separated[target].cpu().numpy() for target in separator.targets])
    names = list(separator.targets)
    if not track.covers(names):
        references = np.concatenate([references, mixture[None] - references.sum(0, keepdims=True)])
        estimates = np.concatenate([estimates, mixture[None] - estimates.sum(0, keepdims=True)])
        names.append(REST)
    if not np.isfinite(estimates).all():
        raise ValueError(f"{type(separator).__name__} gave NaN or infinity for track '{track.name}': retrain it")
    rate = track.sample_rate
    # strict would hand a track to museval where its own number is rounding noise (the SAR of the mixture, say).
    values = bss_eval(
        references.transpose(0, 2, 1), estimates.transpose(0, 2, 1), rate, rate, backend=backend, strict=False
    )
    sdr, isr, sir, sar = (np.asarray(v) for v in values[:4])
    frames_of = {
        name: [
            {"time": float(w), "duration": 1.0,
             "metrics": {"SDR": _rounded(sdr[s, w]), "SIR": _rounded(sir[s, w]),
                         "SAR": _rounded(sar[s, w]), "ISR": _rounded(isr[s, w])}}
            for w in range(sdr.shape[1])
        ]
        for s, name in enumerate(names)
    }  # fmt: skip
    return {
        "targets": [{"name": name, "frames": frames} for name, frames in frames_of.items()],
        "museval_version": "0.4.1",
        "msbench_seconds": seconds,
    }


def _rounded(value: float) -> float:
    return round(float(value), 5) if np.isfinite(value) else float("nan")  # as museval's TrackStore keeps them


def _model(model: Separator | str | Path, checkpoint: str | Path | None, data: Dataset) -> tuple[Separator, Any]:
    if isinstance(model, Separator):
        return model, checkpoint
    if str(model).endswith(".ckpt"):
        return load(model), model
    if checkpoint is not None:
        return load(model, checkpoint), checkpoint
    return untrained(str(model), data), None


def untrained(name: str, data: Dataset, **options: Any) -> Separator:
    """A registered model that has no weights, made for a dataset: its stems, rate and channels.

    Raises:
        ValueError: If the model has to be trained.
    """
    if registry.load("models", name).trainable:
        raise ValueError(f"'{name}' has to be trained first: give its checkpoint (msbench evaluate runs/.../best.ckpt)")
    first = data.tracks(data.splits[-1])[0]
    fitting = {"targets": list(data.stems), "sample_rate": first.sample_rate, "channels": first.channels}
    return create(name, {**fitting, **options})


def _read_result(path: Path | None, key: str) -> dict[str, Any] | None:
    if path is None or not path.exists():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError:
        return None
    return result if result.get("msbench_key") == key else None


def _track_scores(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Median over a track's windows, those without a score left out, {target: {metric: dB or null}}."""
    scores: dict[str, dict[str, Any]] = {}
    for target in result["targets"]:
        scores[target["name"]] = {}
        for metric in records.METRICS:
            values = [f["metrics"][metric] for f in target["frames"] if np.isfinite(f["metrics"][metric])]
            scores[target["name"]][metric] = float(np.median(values)) if values else None
            if not values:
                scores[target["name"]]["reason"] = "no window in which every reference and estimate sounds"
    return scores


def _running_medians(results: dict[str, dict[str, Any]]) -> dict[str, float]:
    by_target: dict[str, list[float]] = {}
    for result in results.values():
        for target, scores in _track_scores(result).items():
            if scores["SDR"] is not None:
                by_target.setdefault(target, []).append(scores["SDR"])
    return {target: statistics.median(values) for target, values in by_target.items()}


def _peak_bytes() -> int:
    """The most memory that this process has held; not ru_maxrss, which a child inherits from its parent."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _provenance(path: Path, sha256: str | None) -> dict[str, Any]:
    content = read_checkpoint(path)
    return {
        "sha256": sha256, "step": content.get("global_step"), "epoch": content.get("epoch"), "selection": path.stem,
        "ema": "averaging_state" in content,
    }  # fmt: skip
