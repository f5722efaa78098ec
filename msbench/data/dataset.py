"""Datasets: named splits of tracks found in a folder, checked before they are handed out; torch is not imported."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from msbench.data.song import Song, is_bad_file
from msbench.data.track import Track
from msbench.system.files import sha256_of
from msbench.system.names import LONGEST_FILE, plain_name

SPLITS = ("train", "valid", "test")
MANIFEST = "msbench-manifest.json"
NOT_VERIFIED = "layout not verified on real files"
PREPARED = "msbench-prepared.json"  # in the folder that `data prepare` wrote

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
    version: str = "1"  # of the published data; a record holds it with the fingerprint
    excerpts_allowed: bool = False  # whether its license lets a board publish seconds of its audio
    download: str = ""  # where to get it, for the error that says it is missing
    layout: str = "<split>/<track>/"  # of its folder, for the error that says nothing was found
    verified: str = ""  # what the reading of that layout was held to; NOT_VERIFIED where there were no real files
    # What is published about it, for `msbench data card` and `verify`.
    licence: str = "not stated"
    citation: str = ""
    rule: str = ""  # by which tracks are divided into splits
    published: Mapping[str, int] = {}  # split -> tracks
    rates: tuple[int, ...] = ()  # Hz
    errata: Mapping[str, str] = {}  # track -> what its publishers say is wrong with it
    takes_stem_map = False  # whether its targets follow from a stem map, which may be given
    may_keep_faults = False  # whether it takes keep_faults=True, and is opened with faults that `verify` then lists
    stem_map: Mapping[str, Any] = {}  # the stem map, where there is one
    sum_error_db: float | None = -25.0  # of the mixture less its stems, relative to the mixture; None: not their sum

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = default_root(self.name) if root is None else Path(root).expanduser()
        self._tracks: dict[str, list[Track]] = {}
        self._fingerprints: dict[str, str] = {}
        self.faults: list[str] = []  # of the dataset as a whole, where it was opened to be verified
        self.notes: list[str] = []  # on tracks that were left out, as far as tracks have been looked for
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
        """Called before the folder is looked for: a dataset that can be generated is generated here.

        It has nothing to do with `msbench data prepare`, which decodes a dataset that is there.
        """

    @property
    def stems(self) -> tuple[str, ...]:
        """The targets that add up to the mixture."""
        return tuple(target for target in self.targets if target not in self.sums)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: by default the folders train, valid and test, as far as they are there."""
        return tuple(split for split in SPLITS if (self.root / split).is_dir())

    def find_tracks(self, split: str) -> Iterable[Track]:
        """The tracks of a split in a fixed order; no file needs to be opened."""
        raise NotImplementedError(f"{type(self).__name__} must define find_tracks(split)")

    def tracks(self, split: str) -> list[Track]:
        """The tracks of a split, after every file of them has been opened once.

        Raises:
            ValueError: If there is no such split, two tracks have one name, or a file is broken.
            FileNotFoundError: If a file is missing.
        """
        if split not in self._tracks:
            tracks, faults = self.readable_tracks(split)
            if faults:
                raise next(iter(faults.values()))
            self._tracks[split] = tracks
        return list(self._tracks[split])

    def readable_tracks(self, split: str) -> tuple[list[Track], dict[str, Exception]]:
        """The tracks of a split whose files can be opened, and by name what is wrong with the others.

        Raises:
            ValueError: If there is no such split, or two tracks have one name.
        """
        if split not in self.splits:
            known = ", ".join(self.splits) or "none"
            raise ValueError(f"dataset '{self.name}' at {self.root} has no split '{split}': it has {known}")
        tracks = list(self.find_tracks(split))
        self.check_names(split, tracks)
        self._check_stems(split, tracks)
        with ThreadPoolExecutor(_OPENING_THREADS) as pool:  # a network's disk answers many at once
            faults = dict(zip(tracks, pool.map(self._fault, tracks), strict=True))
        return [track for track in tracks if faults[track] is None], {t.name: e for t, e in faults.items() if e}

    def _fault(self, track: Track) -> Exception | None:
        try:
            self.check(track)
        except (ValueError, OSError) as error:
            if not is_bad_file(error):
                raise
            return error
        return None

    def check(self, track: Track) -> None:
        """Open every file of a track, so that what is missing or broken is said now.

        Raises:
            FileNotFoundError, ValueError: As `Track.check`.
        """
        track.check()

    def songs(self, split: str) -> Iterable[Song]:
        """The tracks of a split as they were published, nothing opened: what `data prepare` and `verify` work on."""
        return self.find_tracks(split)

    def check_names(self, split: str, songs: Collection[Song]) -> None:
        """Check what becomes parts of paths: names of the split, its songs and their stems, and of all targets.

        Raises:
            ValueError: If one is not the name of a single file or folder, or two songs have one name.
        """
        where = f"of dataset '{self.name}' at {self.root}"
        plain_name(split, f"the split {where}", LONGEST_FILE)
        names = sorted(plain_name(song.name, f"the track of split '{split}' {where}", LONGEST_FILE) for song in songs)
        for target in {*self.targets, *(stem for song in songs for stem in song.stems)}:
            plain_name(target, f"the target {where}", LONGEST_FILE)
        twice = next((a for a, b in pairwise(names) if a == b), None)
        if twice is not None:
            raise ValueError(f"dataset '{self.name}' at {self.root} has two tracks '{twice}' in {split}: rename one")

    def _check_stems(self, split: str, tracks: Sequence[Track]) -> None:
        """Raise a ValueError where a track lacks a target that others, or the dataset, have."""
        every = dict.fromkeys((*self.targets, *(target for track in tracks for target in track.targets)))
        for track in tracks:
            lacking = [target for target in every if target not in track.targets]
            if lacking:
                raise ValueError(
                    f"track '{track.name}' of split '{split}' of dataset '{self.name}' has no '{lacking[0]}', which "
                    "other tracks have: every track needs all targets, an empty sum where one is silent"
                )

    def without_tracks(self) -> ValueError:
        """What to raise where no split has any."""
        return ValueError(f"no tracks of '{self.name}' in {self.root}: its root must hold {self.layout}")

    def note(self, sentence: str) -> None:
        """Keep what happened to a track, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    @property
    def manifest(self) -> Path:
        """Where `data verify` keeps its list of all files with their hashes."""
        return self.root / MANIFEST if self.root.is_dir() else self.root.with_name(f"{self.root.name}.{MANIFEST}")

    @property
    def manifest_sha256(self) -> str | None:
        """Of the manifest; None where the dataset has not been verified."""
        return sha256_of(self.manifest) if self.manifest.is_file() else None

    def fingerprint(self, split: str) -> str:
        """SHA-256 that tells one state of a split's audio from another, wherever it lies on disk.

        It covers each file's track name, role and size, and 64 KiB of its start, its middle and its end. So 50 songs
        take a second, and a change elsewhere in a file that keeps its size goes unnoticed.
        """
        if split not in self._fingerprints:
            digest = hashlib.sha256()
            for role, path in self.fingerprinted(split):
                digest.update(f"{role}\0{path.stat().st_size}\0".encode())
                for block in sampled_blocks(path):
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


def divide(name: str, shares: Mapping[str, float]) -> str:
    """The split of a name: fixed by its SHA-256, the same on every machine, in about these shares.

    Args:
        name: What must not be in two splits: a song, an artist, a singer.
        shares: Split -> share; they add up to one.
    """
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    for split, share in shares.items():
        place -= share
        if place < 0:
            return split
    return list(shares)[-1]


def sampled_blocks(path: Path) -> Iterable[bytes]:
    """64 KiB of a file's start, its middle and its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in sorted({0, max(0, (size - _SAMPLED_BYTES) // 2), max(0, size - _SAMPLED_BYTES)}):
            file.seek(place)
            yield file.read(_SAMPLED_BYTES)
