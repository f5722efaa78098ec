"""Where the estimates of a track come from; `model_source` and `folder_source` are the two kinds."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from msbench.data.dataset import Dataset
from msbench.data.track import Track
from msbench.evaluation.signals import Read
from msbench.records.types import CheckpointFacts, InferenceFacts, Model, Training


class ScoredSet(NamedTuple):
    """The tracks that are scored: all of a split, one or more."""

    data: Dataset
    split: str
    tracks: list[Track]

    @classmethod
    def of(cls, data: Dataset, split: str) -> ScoredSet:
        """Open a split.

        Raises:
            ValueError: If there is no such split, or it has no tracks.
        """
        tracks = data.tracks(split)
        if not tracks:
            raise ValueError(f"dataset '{data.name}' has no tracks in split '{split}': it has {', '.join(data.splits)}")
        return cls(data, split, tracks)


class Estimates(NamedTuple):
    """Of one track, in the order of the source's `estimated`."""

    read: Read
    names: list[str]  # what an error calls each
    seconds: float | None  # that the separation took


class Origin(NamedTuple):
    """What a record says of where its estimates come from; the fields are the record's."""

    model: Model
    checkpoint: CheckpointFacts | None
    training: Training
    inference: InferenceFacts
    seed: int | None


class EstimateSource(Protocol):
    """Gives estimates of tracks. It travels to other processes by pickle."""

    targets: list[str]  # scored together
    estimated: list[str]  # whose estimates it gives: the targets, and sums of them that have estimates of their own

    def identity(self, track: Track, estimates: Sequence[str]) -> Any:
        """What some estimates of a track depend on, as JSON: where it is the same, so are they."""

    def estimates(self, track: Track) -> contextlib.AbstractContextManager[Estimates]:
        """The estimates, readable within the context."""

    def origin(self, tracks: list[Track], label: str | None) -> Origin:
        """What the record says of the model, under this label or one of its own."""


def data_has(data: Dataset, target: str) -> None:
    """Raise ValueError where a dataset lacks a target."""
    if target not in data.targets:
        raise ValueError(f"dataset '{data.name}' has no target {target}: it has {', '.join(data.targets)}")


def reader(track: Track, targets: list[str]) -> Read:
    """Reads some targets of a track together, as (S, C, n)."""
    return lambda start, stop: np.stack([track.read(target, start, stop - start) for target in targets])
