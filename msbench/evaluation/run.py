"""Evaluation: a model, or files that another tool separated, and a dataset give one record.

Beside it, museval's own JSON for each track.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msbench import records, registry
from msbench.data.dataset import Dataset
from msbench.data.opening import open_dataset
from msbench.data.track import Track
from msbench.evaluation.excerpts import about_of, chosen
from msbench.evaluation.jobs import score_tracks
from msbench.evaluation.sources import FolderSource, ModelSource, Source, data_has
from msbench.evaluation.track import Settings, scored_targets, track_scores
from msbench.metrics import catalogue as beside
from msbench.model.checkpoints import create, load
from msbench.model.separator import Separator
from msbench.records import provenance
from msbench.records.metric_id import BSSEVAL
from msbench.records.types import Record
from msbench.system.files import write_json, write_text

Progress = Callable[[int, int, str, dict[str, float]], None]


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
    metrics: Sequence[str] = beside.DEFAULT,
    excerpts: int = 0,
    jobs: int = 1,
    chunk_seconds: float = 10.0,
    overlap: float = 0.25,
    batch_size: int = 1,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Record:
    """Separate and score every track of a split; a second run goes on where the first stopped.

    Memory does not grow with the tracks: estimates go through a temporary file (in TMPDIR), audio is read in blocks.

    Args:
        model: A separator, a registered name, or a checkpoint's path.
        dataset: A dataset or a registered name.
        root: The dataset's folder.
        split: Which tracks.
        checkpoint: Weights for a model given by name; for one given as a separator, the file they came from.
        output: Folder for museval's per-track JSON (<output>/<split>/<track>.json); nothing is kept when None.
        label: Name of the row on a board; the model's registered name when None.
        seed: The training's seed, for the record; that which the checkpoint holds when None.
        backend: `fast` or `museval`, the same numbers (`msbench.bss_eval`).
        metrics: What is scored beside BSSEval, of `msbench.metrics.catalogue.NAMES`.
        excerpts: Of how many tracks some seconds of mixture, references and estimates are kept as MP3 in
            <output>/excerpts/, for a board to play; datasets whose licence forbids that refuse.
        jobs: Tracks at a time, in processes of their own that share the processors. A script that asks for more than
            one needs `if __name__ == "__main__":`, as all do that start processes.
        chunk_seconds, overlap, batch_size: As `msbench.separate`.
        device: Where the model and BSSEval run.
        progress: Called after each track with (tracks done, tracks, the track's name, running median SDR by target).

    Returns:
        A record (see `msbench.records`).

    Raises:
        ValueError: If the dataset lacks a target of the model or has no such split, a metric is unknown, or a track
            cannot be scored; the message names it.
        ModuleNotFoundError: If a metric needs a library that is not installed.
    """
    data = open_dataset(dataset, root) if isinstance(dataset, str) else dataset
    separator, checkpoint = _model(model, checkpoint, data)
    for target in separator.targets:
        data_has(data, target)
    inference = {"chunk_seconds": chunk_seconds, "overlap": overlap, "batch_size": batch_size, "device": device}
    source = ModelSource(separator, checkpoint, inference)
    settings = Settings(backend, tuple(metrics), None if str(device) == "cpu" else str(device))
    record = _evaluate(source, data, split, output, label, settings, jobs, progress, seed, excerpts)
    if str(device) != "cpu":
        record["speed"]["hardware"] = torch.cuda.get_device_name(device)
    return record


def evaluate_estimates(
    folder: str | Path,
    dataset: Dataset | str,
    *,
    root: str | Path | None = None,
    split: str = "test",
    targets: Sequence[str] | None = None,
    output: str | Path | None = None,
    label: str | None = None,
    backend: str = "fast",
    metrics: Sequence[str] = beside.DEFAULT,
    jobs: int = 1,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Record:
    """Score files that any tool separated: the same numbers as `evaluate` gives the model they came from.

    Args:
        folder: In museval's layout, <folder>/[<split>/]<track>/<target>.wav, or .flac.
        targets: Which to score together; by default the dataset's stems where all are there, else what is there.
        dataset, root, split, output, label, seed, backend, metrics, jobs, progress: As `evaluate`; the label is the
            folder's name when None.

    Returns:
        A record (see `msbench.records`), without what only a model can tell.

    Raises:
        FileNotFoundError: If the folder, a track's folder or a target's file is missing; before anything is scored.
        ValueError: If a file does not fit its reference in rate, channels or length, or holds NaN, and as `evaluate`.
    """
    data = open_dataset(dataset, root) if isinstance(dataset, str) else dataset
    source = FolderSource(folder, data, split, targets)
    return _evaluate(source, data, split, output, label, Settings(backend, tuple(metrics)), jobs, progress, seed)


def _evaluate(
    source: Source,
    data: Dataset,
    split: str,
    output: str | Path | None,
    label: str | None,
    settings: Settings,
    jobs: int,
    progress: Progress | None,
    seed: int | None,
    excerpts: int = 0,
) -> Record:
    tracks = data.tracks(split)
    if not tracks:
        raise ValueError(f"dataset '{data.name}' has no tracks in split '{split}': it has {', '.join(data.splits)}")
    targets = scored_targets(source.targets, tracks[0])
    beside.check_names(settings.beside, targets)
    kept = chosen(data, tracks, excerpts, output, split)
    settings = replace(settings, excerpts=kept)
    results = _results(source, data, tracks, split, output, settings, jobs, progress)
    factors = [results[t.name]["msbench_seconds"] / t.seconds for t in tracks if results[t.name]["msbench_seconds"]]
    seconds = sum(result["msbench_seconds"] or 0 for result in results.values())
    described = source.described(tracks, label)
    described["training"] = _of_these_data(described["training"], data.name)
    files = sorted({path.suffix.lower().lstrip(".") for track in tracks for path in track.files.values()})
    gpu = torch.cuda.get_device_name() if str(described["inference"]["device"]).startswith("cuda") else None
    record = records.validate(
        {
            "schema_version": records.SCHEMA_VERSION,
            **described,
            "code": provenance.code_state(),
            "dataset": {
                "name": data.name, "version": data.version, "split": split, "fingerprint": data.fingerprint(split),
                "manifest_sha256": data.manifest_sha256, "sample_rate": tracks[0].sample_rate, "files": files,
                "tracks": [track.name for track in tracks],
            },
            "metric": {
                "id": str(BSSEVAL.of(targets)), "backend": settings.backend,
                "implementation": f"{'msbench' if settings.backend == 'fast' else 'museval'} "
                f"{version('msbench' if settings.backend == 'fast' else 'museval')}",
                "beside": list(beside.metric_ids(settings.beside, targets).values()),
            },
            "seed": described["seed"] if seed is None else seed,
            "speed": {
                "real_time_factor": round(statistics.median(factors), 4) if factors else None,
                "real_time_factor_p95": round(float(np.quantile(factors, 0.95)), 4) if factors else None,
                "seconds": round(seconds, 3) if factors else None,
                "peak_bytes": max(result["msbench_peak_bytes"] for result in results.values()),
                "hardware": provenance.hardware(), "gpu": gpu, "driver": provenance.driver() if gpu else None,
            },
            "environment": {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__},
            "scores": {track.name: track_scores(results[track.name]) for track in tracks},
        },
        "the new record",
    )  # fmt: skip
    if kept is not None:
        write_json(kept.folder / "excerpts.json", about_of(record["model"]["label"], record["dataset"]))
    return record


def _results(
    source: Source,
    data: Dataset,
    tracks: list[Track],
    split: str,
    output: str | Path | None,
    settings: Settings,
    jobs: int,
    progress: Progress | None,
) -> dict[str, dict[str, Any]]:
    """The result of each track: what `output` holds already of the same estimates and settings, and the others' new."""
    metric = [str(BSSEVAL.of(scored_targets(source.targets, tracks[0]))), settings.backend, settings.beside]
    fingerprint = data.fingerprint(split)
    results: dict[str, dict[str, Any]] = {}

    def keep(track: Track, result: dict[str, Any]) -> None:
        results[track.name] = result
        if progress is not None:
            progress(len(results), len(tracks), track.name, _running_medians(results))

    keys, waiting = {}, []
    for track in tracks:
        keys[track.name] = records.digest([source.identity(track), metric, fingerprint])
        result = _read_result(_result_path(output, split, track), keys[track.name])
        if result is None or (settings.excerpts is not None and settings.excerpts.wants(track)):
            waiting.append(track)
        else:
            keep(track, result)
    for track, result in score_tracks(source, waiting, settings, jobs):
        path = _result_path(output, split, track)
        if path is not None:
            # museval writes NaN where a window has no score, and so its readers expect it.
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps({**result, "msbench_key": keys[track.name]}, indent=1))
        keep(track, result)
    return results


def _of_these_data(training: dict[str, Any], dataset: str) -> dict[str, Any]:
    """What a model was trained on, seen from the dataset that it is scored on."""
    if not training["datasets"]:
        return training
    same = {name.removesuffix("hq") for name in training["datasets"]} == {dataset.removesuffix("hq")}
    return training | {"data": "standard" if same else "extra"}


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
    first = next((track for split in reversed(data.splits) for track in data.tracks(split)), None)
    if first is None:
        raise data.without_tracks()
    fitting = {"targets": list(data.stems), "sample_rate": first.sample_rate, "channels": first.channels}
    return create(name, {**fitting, **options})


def _result_path(output: str | Path | None, split: str, track: Track) -> Path | None:
    return None if output is None else Path(output) / split / f"{track.name}.json"


def _read_result(path: Path | None, key: str) -> dict[str, Any] | None:
    if path is None or not path.exists():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError:
        return None
    return result if result.get("msbench_key") == key else None


def _running_medians(results: dict[str, dict[str, Any]]) -> dict[str, float]:
    by_target: dict[str, list[float]] = {}
    for result in results.values():
        for target, scores in track_scores(result).items():
            if scores["SDR"] is not None:
                by_target.setdefault(target, []).append(scores["SDR"])
    return {target: statistics.median(values) for target, values in by_target.items()}
