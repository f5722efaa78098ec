"""Datasets: named splits of tracks found in a folder, checked before they are handed out; torch is not imported."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from msbench import registry
from msbench.data.track import Track

SPLITS = ("train", "valid", "test")

_SAMPLED_BYTES = 65536  # of a file's start, middle and end, for the fingerprint
_OPENING_THREADS = 8


class Dataset:
    """Base of every dataset. A subclass sets `name` and `targets` and writes `find_tracks(split)`.

    Args:
        root: Its folder; $MSBENCH_DATA/<name>, or data/<name> in the current folder, when not given.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """

    name: str = ""
    targets: tuple[str, ...] = ()  # what a model may estimate
    sums: Mapping[str, tuple[str, ...]] = {}  # those of the targets that are sums of others
    version: str = "1"  # of the published data; a record holds it beside the fingerprint
    excerpts_allowed: bool = False  # whether its licence lets a board publish seconds of its sound
    download: str = ""  # where to get it, for the error of whoever has not

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = default_root(self.name) if root is None else Path(root).expanduser()
        self._tracks: dict[str, list[Track]] = {}
        self._fingerprints: dict[str, str] = {}
        self.prepare()
        if not self.root.exists():
            where = f"download it from {self.download}, or " if self.download else ""
            raise FileNotFoundError(
                f"no dataset '{self.name}' at {self.root}: {where}give its folder as root, or keep it as "
                f"{self.name} in the folder that MSBENCH_DATA names"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    def prepare(self) -> None:
        """Called before anything is looked for; a dataset that can be made is made here."""

    @property
    def stems(self) -> tuple[str, ...]:
        """The targets that add up to the mixture."""
        return tuple(target for target in self.targets if target not in self.sums)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: by default the folders train, valid and test, as far as they are there."""
        return tuple(split for split in SPLITS if (self.root / split).is_dir())

    def find_tracks(self, split: str) -> Iterable[Track]:
        """The tracks of a split in a fixed order; nothing need be opened."""
        raise NotImplementedError(f"{type(self).__name__} must define find_tracks(split)")

    def tracks(self, split: str) -> list[Track]:
        """The tracks of a split, every file of them opened once.

        Raises:
            ValueError: If there is no such split, two tracks have one name, or a file is broken.
            FileNotFoundError: If a file is missing.
        """
        if split not in self.splits:
            known = ", ".join(self.splits) or "none"
            raise ValueError(f"dataset '{self.name}' at {self.root} has no split '{split}': it has {known}")
        if split not in self._tracks:
            tracks = list(self.find_tracks(split))
            names = sorted(track.name for track in tracks)
            twice = next((a for a, b in pairwise(names) if a == b), None)
            if twice is not None:
                raise ValueError(
                    f"dataset '{self.name}' at {self.root} has two tracks '{twice}' in {split}: rename one"
                )
            with ThreadPoolExecutor(_OPENING_THREADS) as pool:  # a network's disk answers many at once
                for _ in pool.map(Track.check, tracks):
                    pass
            self._tracks[split] = tracks
        return list(self._tracks[split])

    def fingerprint(self, split: str) -> str:
        """SHA-256 that tells one state of a split's audio from another, wherever it lies on disk.

        Of each file: the track's name, what it holds, its size, and 64 KiB of its start, its middle and its end. So
        50 songs take a second; an altered sample elsewhere in a file of unaltered size goes unnoticed.
        """
        if split not in self._fingerprints:
            digest = hashlib.sha256()
            for role, path in self.fingerprinted(split):
                digest.update(f"{role}\0{path.stat().st_size}\0".encode())
                for block in _samples(path):
                    digest.update(block)
            self._fingerprints[split] = digest.hexdigest()
        return self._fingerprints[split]

    def fingerprinted(self, split: str) -> Iterable[tuple[str, Path]]:
        """(name, file) of all that the fingerprint covers, in order."""
        for track in self.tracks(split):
            for role, path in sorted(track.files.items()):
                yield f"{track.name}/{role}", path


def default_root(name: str) -> Path:
    """Where a dataset is looked for when no folder is given."""
    return Path(os.environ.get("MSBENCH_DATA") or "data").expanduser() / name


def open_dataset(name: str, root: str | Path | None = None) -> Dataset:
    """Open a registered dataset.

    Raises:
        KeyError: If the name is unknown (the nearest names are given).
        ImportError: If its plugin does not import.
        FileNotFoundError: If its folder does not exist.
    """
    dataset: Dataset = registry.load("datasets", name)(root)
    return dataset


def folders(root: Path) -> list[Path]:
    """The visible folders in `root`, by name."""
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] not in "._")


def _samples(path: Path) -> Iterable[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in sorted({0, max(0, (size - _SAMPLED_BYTES) // 2), max(0, size - _SAMPLED_BYTES)}):
            file.seek(place)
            yield file.read(_SAMPLED_BYTES)
