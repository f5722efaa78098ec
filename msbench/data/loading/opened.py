"""The datasets of a training: opened, their tracks checked, and what of them is left out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

from msbench.data.dataset import Dataset
from msbench.data.loading.faults import Faults, warn_dropped
from msbench.data.opening import open_dataset
from msbench.data.track import Track
from msbench.system import errors
from msbench.system.wording import counted


class OpenedDatasets:
    """The datasets of a training.

    Args:
        targets: Each dataset must have them.
        strict: Whether a bad file is an error; else its track is dropped, with a warning.

    Attributes:
        names: Of the datasets, as they were opened.
    """

    def __init__(self, targets: tuple[str, ...], strict: bool) -> None:
        self.targets = targets
        self.strict = strict
        self.names: list[str] = []
        self._roots: list[Path] = []
        self._dropped: dict[tuple[str, str], str] = {}  # (split, track): reason; of earlier attempts too

    def open(self, name: str, root: Path | None) -> Dataset:
        """Open a dataset.

        Raises:
            KeyError: If it is unknown.
            FileNotFoundError: If its folder is missing.
            ValueError: If it has not all targets, or is open already.
        """
        data = open_dataset(name, root)
        if data.name in self.names:
            raise ValueError(f"'{data.name}' is trained on already: name each dataset once")
        for target in self.targets:
            if target not in data.targets:
                raise ValueError(f"dataset '{data.name}' has no target '{target}': it has {', '.join(data.targets)}")
        self.names.append(data.name)
        self._roots.append(data.root)
        return data

    def tracks(self, data: Dataset, split: str) -> list[Track]:
        """Those of a split that can be opened.

        Raises:
            ValueError: If there are none, or with `strict` if a file is broken.
            FileNotFoundError: With `strict`, if a file is missing.
        """
        return self._readable(data, split, split)

    def _readable(self, data: Dataset, split: str, label: str) -> list[Track]:
        tracks, faults = (data.tracks(split), {}) if self.strict else data.readable_tracks(split)
        if not tracks and not faults:
            raise ValueError(
                f"dataset '{data.name}' at {data.root} has no tracks in split '{split}', and training needs some: add "
                f"a folder {split}/ with at least one track"
            )
        if not tracks:
            raise ValueError(f"no track of split '{split}' can be opened, as {next(iter(faults.values()))}")
        for name, error in faults.items():
            reason = errors.sentence(error)
            warn_dropped(label, name, reason)
            self.drop(label, name, reason)
        return tracks

    def extra_tracks(self, entry: str, folder: Path | None) -> list[Track]:
        """The tracks of a further dataset; their splits bear its name, which tells them from those of the others.

        Args:
            entry: NAME or NAME:SPLIT.
            folder: That holds the dataset's own, under its name.

        Raises:
            As `open` and `tracks`.
        """
        name, _, given = entry.partition(":")
        split = given or "train"
        with errors.located("field data.extra"):
            data = self.open(name, None if folder is None else folder / name)
            tracks = [copy(track) for track in self._readable(data, split, f"{name}:{split}")]
        for track in tracks:
            track.split = f"{name}:{split}"
        return tracks

    def note(self, faults: Faults) -> None:
        """Keep, and warn of, what turned out bad since."""
        faults.warn()
        for track, reason in faults.found().items():
            self.drop(track.split, track.name, reason)

    def drop(self, split: str, track: str, reason: str) -> None:
        """Keep that a track is left out, and why."""
        # Records are published: they name files within the dataset, not where it lies.
        for root in self._roots:
            reason = reason.replace(f"{root}/", "")
        self._dropped.setdefault((split, track), reason)

    @property
    def dropped(self) -> list[dict[str, Any]]:
        """Each track that is left out, as {split, track, reason}."""
        return [{"split": s, "track": t, "reason": reason} for (s, t), reason in sorted(self._dropped.items())]


def first_tracks(tracks: Sequence[Track], count: int, seed: int) -> list[Track]:
    """The first so many of an order drawn from a seed; they stay in the order in which they are given.

    A track's place in the order follows from its name: one that cannot be opened moves no other.

    Raises:
        ValueError: If there are fewer.
    """
    if count > len(tracks):
        there = counted(len(tracks), "training track")
        raise ValueError(f"field data.tracks: {count} are asked for, and there are {there}: ask for fewer")

    def drawn(track: Track) -> bytes:
        return hashlib.sha256(f"{seed}/{track.split}/{track.name}".encode()).digest()

    chosen = {id(track) for track in sorted(tracks, key=drawn)[:count]}
    return [track for track in tracks if id(track) in chosen]
