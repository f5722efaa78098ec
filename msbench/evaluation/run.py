"""Evaluation: a model, or files that another tool separated, and a dataset give one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from msbench import registry
from msbench.data.dataset import Dataset
from msbench.data.opening import open_dataset
from msbench.evaluation import excerpts
from msbench.evaluation.folder_source import FolderSource
from msbench.evaluation.model_source import ModelSource
from msbench.evaluation.options import (
    EstimatesOptions,
    EvaluationOptions,
    Execution,
    RowFacts,
    Scoring,
    check_options,
    from_options,
)
from msbench.evaluation.record import record_of
from msbench.evaluation.resumption import Results
from msbench.evaluation.scenarios import own_scenario
from msbench.evaluation.sources import EstimateSource, ScoredSet, data_has
from msbench.metrics import catalogue
from msbench.model.checkpoints import Checkpoint, create
from msbench.model.constructor import parameters_of
from msbench.model.separator import Separator
from msbench.records.types import Record
from msbench.separation.inference import Inference
from msbench.system.errors import is_deliberate, sentence
from msbench.system.files import write_json
from msbench.weights.opening import find_checkpoint, refuse_untrained


def evaluate(
    model: Separator | str | Path,
    dataset: Dataset | str,
    *,
    root: str | Path | None = None,
    split: str = "test",
    checkpoint: str | Path | None = None,
    separator: Mapping[str, Any] | None = None,
    weights: Sequence[str | Path] = (),
    **options: Unpack[EvaluationOptions],
) -> Record:
    """Separate and score every track of a split; a second run goes on where the first stopped.

    Memory does not grow with the tracks: estimates go through a temporary file (in TMPDIR), audio is read in blocks.

    Args:
        model: A separator, a checkpoint's path, a registered name, or that of published weights, whose files are here.
        dataset: A dataset or a registered name.
        root: The dataset's folder.
        split: Which tracks.
        checkpoint: Weights for a model given by name; for one given as a separator, the file they came from.
        separator: Arguments of the constructor, for a model given by name or as a checkpoint: {"targets": ["vocals",
            "accompaniment"]} for those that cannot have all of the dataset's stems.
        weights: The files of the published weights that the model names; in the cache where none are given.
        options: As follows.

    Keyword Args:
        output: Folder for museval's per-track JSON (<output>/<split>/<track>.json); nothing is kept when None.
        label: Name of the row on a board; the model's registered name when None.
        seed: The training's seed, for the record; that which the checkpoint holds when None.
        backend: `fast` or `museval`, the same numbers (`msbench.bss_eval`).
        metrics: What is scored in addition to BSSEval, of `msbench.metrics.catalogue.NAMES`.
        scenario: Targets that are scored together once more, from the same estimates, under a metric id of their own:
            ["vocals", "accompaniment"] gives museval's scores of a five-stem estimate. A target that the model does not
            estimate is the sum of its estimates, as the dataset defines it, or what the other ones leave of the
            mixture. The record has them under `further`, the output in a folder of its own, and a board ranks them
            by themselves.
        pooled: Keep medians over the windows of all tracks too, under `further`: Wave-U-Net's published figures.
        excerpts: Number of tracks of which some seconds of mixture, references and estimates are kept as MP3 in
            <output>/excerpts/, for a board to play; datasets whose license forbids that refuse.
        jobs: Tracks at a time, in processes of their own that share the processors. A script that asks for more than
            one needs `if __name__ == "__main__":`, as all do that start processes.
        chunk_seconds, overlap, batch_size, window, shifts, tta, precision, compile: As `msbench.separate`.
        device: Where the model and BSSEval run; the CPU by default.
        progress: Called after each track with (tracks done, tracks, the track's name, running median SDR by target).
        run: Called when all tracks are scored; gives the record's `run`.

    Returns:
        A record (see `msbench.records`).

    Raises:
        TypeError: If an option is unknown, or `separator` is given with a model that is built.
        ValueError: If the dataset lacks a target of the model or has no such split, a metric is unknown, an option is
            out of its range, or a track cannot be scored; the message names it.
        ModuleNotFoundError: If a metric needs a library that is not installed.
    """
    check_options(options, EvaluationOptions, "root", "split", "checkpoint", "separator", "weights")
    if options.get("device") is None:  # the record names a device, so "where the model is" does not do
        options["device"] = "cpu"
    inference, choices = from_options(Inference, options), _choices(options)
    scored = _scored(dataset, root, split, choices[0])
    built, held = _model(model, checkpoint, weights, scored.data, separator or {})
    for target in built.targets:
        data_has(scored.data, target)
    return _record(ModelSource(built, held, inference), scored, *choices)


def check(
    targets: Sequence[str],
    dataset: Dataset | str,
    *,
    root: str | Path | None = None,
    split: str = "test",
    **options: Unpack[EvaluationOptions],
) -> None:
    """Refuse what `evaluate` would refuse of a model that need not be there: its weights may have to be downloaded.

    Args:
        targets: Of the model.
        dataset, root, split, options: As `evaluate`.

    Raises:
        TypeError, ValueError, FileNotFoundError, ModuleNotFoundError: As `evaluate`.
    """
    check_options(options, EvaluationOptions, "root", "split")
    from_options(Inference, options)
    scoring = _choices(options)[0]
    data = _scored(dataset, root, split, scoring).data
    for target in targets:
        data_has(data, target)
    catalogue.check_names(scoring.metrics, targets)


def evaluate_estimates(
    folder: str | Path,
    dataset: Dataset | str,
    *,
    root: str | Path | None = None,
    split: str = "test",
    targets: Sequence[str] | None = None,
    **options: Unpack[EstimatesOptions],
) -> Record:
    """Score files that any tool separated: the same numbers as `evaluate` gives the model they came from.

    Args:
        folder: In museval's layout, <folder>/[<split>/]<track>/<target>.wav, or .flac.
        dataset, root, split: As `evaluate`.
        targets: Which to score together; by default the dataset's stems where all are there, else what is there.
        options: Those of `evaluate`, but for what only a model needs; the label is the folder's name when None.

    Returns:
        A record (see `msbench.records`), without what only a model can tell.

    Raises:
        FileNotFoundError: If the folder, a track's folder or a target's file is missing; before anything is scored.
        TypeError: As `evaluate`.
        ValueError: If a file does not fit its reference in rate, channels or length, or holds NaN, and as `evaluate`.
    """
    check_options(options, EstimatesOptions, "root", "split", "targets")
    choices = _choices(options)
    scored = _scored(dataset, root, split, choices[0])
    source = FolderSource(folder, scored.data, split, targets, scenario=choices[0].scenario)
    return _record(source, scored, *choices)


def _scored(dataset: Dataset | str, root: str | Path | None, split: str, scoring: Scoring) -> ScoredSet:
    data = open_dataset(dataset, root) if isinstance(dataset, str) else dataset
    catalogue.check_names(scoring.metrics, data.targets)
    return ScoredSet.of(data, split)


def _choices(options: EstimatesOptions) -> tuple[Scoring, Execution, RowFacts]:
    return from_options(Scoring, options), from_options(Execution, options), from_options(RowFacts, options)


def _record(
    source: EstimateSource, scored: ScoredSet, scoring: Scoring, execution: Execution, facts: RowFacts
) -> Record:
    catalogue.check_names(scoring.metrics, own_scenario(source, scored.tracks[0]).targets)
    kept = excerpts.chosen(scored, execution)
    scores = Results(source, scored, scoring, execution).of(kept)
    record = record_of(source, scored, scores, scoring, facts)
    if kept is not None:
        write_json(kept.folder / "excerpts.json", excerpts.about_of(record["model"]["label"], record["dataset"]))
    return record


def _model(
    model: Separator | str | Path,
    checkpoint: str | Path | None,
    files: Sequence[str | Path],
    data: Dataset,
    options: Mapping[str, Any],
) -> tuple[Separator, Checkpoint | None]:
    """The model, and the file that its weights came from; that is read once."""
    if isinstance(model, Separator):
        if options or files:
            given = "separator" if options else "weights"
            raise TypeError(f"`{given}` is for a model given by name: this one is built")
        return model, None if checkpoint is None else Checkpoint.read(checkpoint)
    held = find_checkpoint(model, checkpoint, files)
    return (untrained(str(model), data, **options), None) if held is None else (held.separator(**options), held)


def untrained(name: str, data: Dataset, **options: Any) -> Separator:
    """A registered model that has no weights, made for a dataset: its stems, rate and channels.

    Which of these it is given is for its constructor to say: REPET has targets of its own.

    Raises:
        ValueError: If the model has to be trained, or cannot be built so.
    """
    refuse_untrained(name, "evaluate")
    first = next((track for split in reversed(data.splits) for track in data.tracks(split)), None)
    if first is None:
        raise data.without_tracks()
    fitting = {"targets": list(data.stems), "sample_rate": first.sample_rate, "channels": first.channels}
    known = parameters_of(registry.load("models", name))
    every = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    taken = {key: value for key, value in fitting.items() if every or key in known}
    try:
        return create(name, {**taken, **options})
    except ValueError as error:
        if not is_deliberate(error) or "targets" in options or "targets" not in taken:
            raise
        raise ValueError(
            f"{sentence(error)} (the stems of {data.name}): name others, separator.targets=[vocals,accompaniment], "
            "by --set or in a suite by `set`"
        ) from error
