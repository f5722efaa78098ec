"""Estimates in files that any tool wrote."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msbench import records
from msbench.audio.finding import ENDINGS
from msbench.data.dataset import Dataset
from msbench.data.track import Track, header_difference
from msbench.evaluation.sources import Estimates, Origin, ScoredSet, data_has, reader
from msbench.system.files import sha256_of
from msbench.system.visible import entries

_EXTENSIONS = (".wav", ".flac")


class FolderSource:
    """Estimates in files, in museval's layout: <folder>/[<split>/]<track>/<target>.wav, or .flac.

    Args:
        folder: The folder.
        data: The dataset that the tracks are of.
        split: The split.
        targets: Which to score together; by default the dataset's stems where all are there, else what is there.
        tracks: Those of the split to look for; all by default.
        scenario: Targets that are scored once more: those of them that have files of their own are read too.

    Raises:
        FileNotFoundError: If the folder, a track's folder or a target's file is missing.
        ValueError: If no file is named after a target, targets overlap, or a file does not fit its reference.
    """

    def __init__(
        self,
        folder: str | Path,
        data: Dataset,
        split: str,
        targets: Sequence[str] | None = None,
        tracks: list[Track] | None = None,
        scenario: Sequence[str] = (),
    ) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no folder of estimates {folder}: correct the path")
        inner = self.folder / split
        self._root = inner if inner.is_dir() else self.folder
        tracks = tracks or ScoredSet.of(data, split).tracks
        absent = [track.name for track in tracks if not (self._root / track.name).is_dir()]
        if absent:
            raise FileNotFoundError(
                f"{self._root} lacks {len(absent)} of {len(tracks)} tracks, '{absent[0]}' first: separate them, or "
                "give the folder that holds one folder per track"
            )
        self.targets = list(targets or self._targets_of(tracks, data))
        for target in self.targets:
            data_has(data, target)
        parts = [part for target in self.targets for part in tracks[0].parts(target)]
        if len(set(parts)) != len(parts):
            raise ValueError(f"the targets {', '.join(self.targets)} overlap: choose some with --targets")
        more = [name for name in scenario if name not in self.targets and any(self._files(t, name) for t in tracks)]
        self.estimated = [*self.targets, *more]
        self._tracks = {track.name: self._checked(track) for track in tracks}
        self._hashes: dict[Path, str] = {}

    def _targets_of(self, tracks: list[Track], data: Dataset) -> list[str]:
        """The targets that any of the tracks has an estimate of: one that lacks it is then an error that names it."""
        found = [target for target in data.targets if any(self._files(track, target) for track in tracks)]
        for track in tracks:
            for path in entries(self._root / track.name):
                if path.stem in data.targets and path.stem not in found and path.suffix.lower() in ENDINGS:
                    raise ValueError(
                        f"{path} is an estimate of '{path.stem}' that is not read: convert it to WAV or FLAC, or leave "
                        "the target out with --targets"
                    )
        if not found:
            raise ValueError(
                f"{self._root / tracks[0].name} has no estimate of a target of '{data.name}': name the files "
                f"{', '.join(f'{target}.wav' for target in data.targets)}"
            )
        # A sum such as accompaniment is left out where its parts are there: targets that overlap have no SIR.
        return list(data.stems) if set(data.stems) <= set(found) else found

    def _files(self, track: Track, target: str) -> list[Path]:
        paths = [self._root / track.name / f"{target}{extension}" for extension in _EXTENSIONS]
        return [path for path in paths if path.is_file()]

    def _checked(self, track: Track) -> Track:
        """The estimates of a track, as a track."""
        paths: dict[str, Path] = {}
        for target in self.estimated:
            files = self._files(track, target)
            if not files:
                raise FileNotFoundError(
                    f"{self._root / track.name} has no {target}.wav or .flac, and other tracks have: separate "
                    "the track again, or leave the target out with --targets"
                )
            if len(files) > 1:
                raise ValueError(f"{files[0]} and {files[1].name} are both there: remove the one that does not count")
            paths[target] = files[0]
        estimates = Track(track.name, track.split, dict(paths))
        first = next(iter(track.files.values()))
        for target, path in paths.items():
            header = Track(track.name, track.split, {"estimate": path}).header
            if header != track.header:
                raise ValueError(header_difference(path, header, track.files.get(target, first), track.header))
        return estimates

    def identity(self, track: Track, estimates: Sequence[str]) -> Any:
        files = self._tracks[track.name].files
        return [[target, self._hash(path)] for target, path in files.items() if target in estimates]

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = sha256_of(path)
        return self._hashes[path]

    @contextlib.contextmanager
    def estimates(self, track: Track) -> Iterator[Estimates]:
        """The files themselves."""
        found = self._tracks[track.name]
        names = [str(found.files[target]) for target in self.estimated]
        yield Estimates(reader(found, self.estimated), names, None)

    def origin(self, tracks: list[Track], label: str | None) -> Origin:
        name = label or self.folder.resolve().name
        return Origin(
            model={
                "name": name,
                "options": {},
                "label": name,
                "role": "system",
                "config_sha256": records.digest([self.identity(track, self.targets) for track in tracks]),
                "parameters": None,
                "macs_per_second": None,
                "licence": None,
                "targets": self.targets,
                "adaptation": {},
            },
            checkpoint=None,
            training={"data": "unknown", "datasets": None, "tracks": None, "hours": None},
            inference={"chunk_seconds": None, "overlap": None, "batch_size": None, "device": None, "dtype": None},
            seed=None,
        )
