"""Estimates that a model makes while it is scored."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from msbench import records, registry
from msbench.audio.reading import BLOCK_FRAMES
from msbench.audio.spool import Spool
from msbench.data.track import MIXTURE, Track
from msbench.evaluation.sources import Estimates, Origin
from msbench.model.checkpoints import Checkpoint, create
from msbench.model.costs import macs_per_second, parameter_count
from msbench.model.separator import Separator
from msbench.records.types import CheckpointFacts, InferenceFacts, Member, Model, Training
from msbench.separation.inference import DEFAULTS, Inference
from msbench.separation.input_stream import InputStream
from msbench.separation.model_calls import adaptation
from msbench.separation.pipeline import separate_blocks

NOTHING: Training = {"data": "standard", "datasets": [], "tracks": 0, "hours": 0.0}
UNKNOWN: Training = {"data": "unknown", "datasets": None, "tracks": None, "hours": None}


class ModelSource:
    """Estimates that a model makes.

    Args:
        separator: The model.
        checkpoint: The file that its weights came from, if there is one.
        inference: How it is run; its device is named.
    """

    def __init__(self, separator: Separator, checkpoint: Checkpoint | None, inference: Inference) -> None:
        self.separator, self.checkpoint, self.inference = separator, checkpoint, inference
        self.targets = self.estimated = list(separator.targets)
        registered: dict[str, Any] = {"name": type(separator).__name__, "options": {}}
        if checkpoint is not None:
            registered = {"name": checkpoint.name, "options": checkpoint.options}
        self.registered = separator.registered or registered

    def __reduce__(self) -> Any:
        # The class of a plugin in a single file cannot be imported elsewhere: what was registered is built again there.
        if self.separator.registered is None:
            return ModelSource, (self.separator, self.checkpoint, self.inference)
        state = {name: tensor.detach().cpu() for name, tensor in self.separator.state_dict().items()}
        return _again, (self.separator.registered, state, self.checkpoint, self.inference)

    def identity(self, track: Track, estimates: Sequence[str]) -> Any:
        held: list[Any] = [
            _portable(self.registered),
            None if self.checkpoint is None else self.checkpoint.sha256,
            self._inference(),
        ]
        if self.separator.combines():
            held.append(self._members())
        revision = self.separator.revision
        return held if revision == 1 else [*held, revision]  # the first one's results on disk are without

    @contextlib.contextmanager
    def estimates(self, track: Track) -> Iterator[Estimates]:
        """Separate into a temporary file.

        Raises:
            ValueError: If the model cannot take the track, or gives what is not finite.
        """
        started = time.perf_counter()
        mixture = InputStream(self._input(track), track.sample_rate, track.channels, track.seconds, track.name)
        stream = separate_blocks(self.separator, mixture, self.inference)
        # The metrics read the estimates twice and in their own blocks; in memory, ten minutes of four stems are 850 MB.
        with Spool() as spool:
            for block in stream:
                spool.write(np.stack([block[target] for target in self.targets]))
            seconds = time.perf_counter() - started  # before anything is scored
            yield Estimates(spool.read, [f"the estimate of {target}" for target in self.targets], seconds)

    def _input(self, track: Track) -> Iterator[np.ndarray]:
        wanted = [MIXTURE, *(self.targets if self.separator.needs_references else [])]
        for start in range(0, track.frames, BLOCK_FRAMES):
            count = min(BLOCK_FRAMES, track.frames - start)
            yield np.stack([track.read(name, start, count) for name in wanted])

    def _members(self) -> list[Member]:
        """Where an ensemble's members are from."""
        found: list[Member] = []
        for member in self.separator.combines():
            registered = member.registered or {"name": type(member).__name__}
            origin = member.origin or {**registered, "sha256": None}
            found.append({"name": origin["name"], "sha256": origin["sha256"]})
        return found

    def origin(self, tracks: list[Track], label: str | None) -> Origin:
        registered = _portable(self.registered)
        model: Model = {
            "name": registered["name"],
            "options": registered["options"],
            "label": label or registered["name"],
            "role": self.separator.role,
            "config_sha256": records.digest(registered),
            "parameters": parameter_count(self.separator),
            "macs_per_second": macs_per_second(self.separator),
            "licence": self._licence(),
            "targets": self.targets,
            "adaptation": adaptation(self.separator, tracks[0].sample_rate, tracks[0].channels),
        }
        if self.separator.combines():
            model["members"] = self._members()
        return Origin(
            model=model,
            checkpoint=self._checkpoint(),
            training=self._training(),
            inference=self._inference(),
            seed=None if self.checkpoint is None else self.checkpoint.seed,
        )

    def _licence(self) -> str | None:
        """Of published weights, or else of the package that brought the model; of an ensemble, each of its members'."""
        held = self.checkpoint
        if held is not None and held.weights_name is not None:
            return held.licence
        members = self.separator.combines()
        if not members:
            return registry.licence_of("models", self.registered["name"])
        found = dict.fromkeys((each.origin or {}).get("licence") or _licence_of(each) for each in members)
        return None if None in found else "; ".join(map(str, found))

    def _checkpoint(self) -> CheckpointFacts | None:
        held = self.checkpoint
        if held is None:
            return None
        facts: CheckpointFacts = {
            "sha256": held.sha256,
            "step": held.step,
            "epoch": held.epoch,
            "selection": held.path.stem,
            "ema": held.ema,
        }
        if held.weights_name is not None:
            facts["weights"] = held.weights_name
        return facts

    def _training(self) -> Training:
        return _training_of(self.separator, None if self.checkpoint is None else self.checkpoint.training)

    def _inference(self) -> InferenceFacts:
        chosen = self.inference
        seconds = _chunk_seconds(self.separator, chosen)
        song = seconds is None
        facts: InferenceFacts = {
            "chunk_seconds": seconds,
            "overlap": None if song else chosen.overlap,
            "batch_size": chosen.batch_size,
            "device": str(chosen.device),
            "dtype": chosen.precision,
        }
        # Left out where they are at their defaults, so that records and results from before them stay as they are.
        if chosen.window != DEFAULTS.window and not song:
            facts["window"] = chosen.window
        if chosen.shifts:
            facts["shifts"] = chosen.shifts
        if chosen.tta:
            facts["tta"] = [*chosen.tta]
        if chosen.compile:
            facts["compile"] = True
        return facts


def _chunk_seconds(separator: Separator, inference: Inference) -> float | None:
    """Length of the chunks that a model is given; None where it is given whole songs.

    An ensemble whose models have several lengths has the one that is asked for, which some of them may not take.
    """
    if members := separator.combines():
        inference = inference.within(separator)
        lengths = {_chunk_seconds(member, inference) for member in members}
        return lengths.pop() if len(lengths) == 1 else inference.chunk_seconds
    if separator.chunking == "song":
        return None
    samples = separator.chunk_samples
    return inference.chunk_seconds if samples is None else samples / separator.sample_rate


def _licence_of(member: Separator) -> str | None:
    return registry.licence_of("models", member.registered["name"]) if member.registered else None


def _portable(registered: dict[str, Any]) -> dict[str, Any]:
    """A model's name and options; in lists of files, such as an ensemble's members, without the folders they share.

    Where a machine keeps the files has no part in a record, nor in what is scored again; `members` has their hashes.
    """
    options = {name: _without_shared_folders(value) for name, value in registered["options"].items()}
    return {**registered, "options": options}


def _without_shared_folders(value: Any) -> Any:
    paths = [each for each in value if _is_place(each)] if isinstance(value, list | tuple) else []
    if not paths:
        return value
    shared = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [os.path.relpath(each, shared) if _is_place(each) else each for each in value]


def _is_place(value: Any) -> bool:
    return isinstance(value, str) and os.path.isabs(value)


def _again(
    registered: dict[str, Any], state: dict[str, Any], checkpoint: Checkpoint | None, inference: Inference
) -> ModelSource:
    separator = create(registered["name"], registered["options"])
    separator.load_state_dict(state)
    return ModelSource(separator, checkpoint, inference)


def _training_of(separator: Separator, known: Any) -> Training:
    members = separator.combines()
    if members and not known:
        return joined_training([_training_of(each, (each.origin or {}).get("training")) for each in members])
    # What cannot be trained has learned from nothing, so from nothing but the training split; its weights may say more.
    return {**(UNKNOWN if separator.trainable else NOTHING), **(known or {})}


def joined_training(each: Sequence[Training]) -> Training:
    """What the members of an ensemble have learned from, together."""
    learned = [training for training in each if training["datasets"] != []]
    if not learned:
        return {**NOTHING}
    joined: Training = {**UNKNOWN}
    if all(training["datasets"] is not None for training in learned):
        joined["datasets"] = sorted({name for training in learned for name in training["datasets"] or ()})
    if all(training["datasets"] == learned[0]["datasets"] for training in learned):
        joined["tracks"] = max((training["tracks"] or 0 for training in learned), default=0) or None
    splits: dict[str, set[str]] = {}  # kept whatever else is unknown: one member that has seen the test songs is enough
    for training in learned:
        for name, found in training.get("splits", {}).items():
            splits.setdefault(name, set()).update(found)
    if splits:
        joined["splits"] = {name: sorted(found) for name, found in sorted(splits.items())}
    return joined
