"""Anybody's own songs: a folder <split>/<track>/<target>.<ext>, or a CSV of paths."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from msbench.data.dataset import SPLITS, Dataset, folders
from msbench.data.track import MIXTURE, Stem, Track

AUDIO_EXTENSIONS = (".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff")
COLUMNS = ("split", "track", "target", "path")
REST = "rest"

_USUAL_ORDER = ("vocals", "drums", "bass", "other", "accompaniment")
_REST_ENERGY = 10 ** (-15 / 10)  # of the mixture's; separate lossy coding, or mastering, leaves less than that
_REST_SECONDS = 60  # of the first track that are listened to


class Folder(Dataset):
    """Your own songs: <split>/<track>/<target>.wav (or flac, mp3), or a CSV with the columns split,track,target,path.

    The targets are the names of the files; every track has the same. A file named mixture is the mixture; without
    one, it is the sum of the others. Where the mixture holds clearly more than the stems, what is left is one more
    target, "rest": so vocals and a mixture are enough to train on.

    Args:
        root: The folder, or the CSV file; its paths are relative to itself.

    Raises:
        FileNotFoundError: If the root does not exist.
        ValueError: If nothing is found there, a target is given twice or to some tracks alone, or the CSV is not
            such a table.
    """

    name = "folder"
    layout = "<split>/<track>/<target>.wav"
    licence = "your own"
    rule = "as the folders or the table say"
    excerpts_allowed = True  # of their owner, who asks for them

    def __init__(self, root: str | Path | None = None) -> None:
        super().__init__(root)
        self._table: dict[str, dict[str, dict[str, Path]]] = {}  # split -> track -> target -> file
        for split, track, target, path in _rows_of_csv(self.root) if self.root.is_file() else _rows_of(self.root):
            files = self._table.setdefault(split, {}).setdefault(track, {})
            if target in files:
                raise ValueError(
                    f"track '{track}' of split '{split}' has two files for '{target}', {files[target]} and {path}: "
                    "remove one"
                )
            files[target] = path
        if not self._table:
            raise ValueError(f"no songs in {self.root}: put them in as <split>/<track>/<target>.wav")
        self._check_targets()

    @property
    def splits(self) -> tuple[str, ...]:
        """Those found; train, valid and test first."""
        return tuple(sorted(self._table, key=_place_among(SPLITS)))

    @cached_property
    def targets(self) -> tuple[str, ...]:  # type: ignore[override]  # an attribute of the class elsewhere
        """The names of the files, and "rest" where the mixture holds more."""
        return (*self._given, REST) if self._has_rest else self._given

    @cached_property
    def _given(self) -> tuple[str, ...]:
        found = {target for tracks in self._table.values() for files in tracks.values() for target in files}
        return tuple(sorted(found - {MIXTURE}, key=_place_among(_USUAL_ORDER)))

    def _check_targets(self) -> None:
        for split, tracks in self._table.items():
            for track, files in tracks.items():
                for target in self._given:
                    if target not in files:
                        raise ValueError(
                            f"track '{track}' of split '{split}' has no '{target}', which other tracks have: add the "
                            "file, a silent one where nothing plays, or remove the track"
                        )
                if len(self._given) == 0 or (len(self._given) == 1 and MIXTURE not in files):
                    raise ValueError(
                        f"track '{track}' of split '{split}' has a single file, {next(iter(files.values()))}, and "
                        f"nothing to separate it from: add its {MIXTURE} or its other stems"
                    )

    @cached_property
    def _has_rest(self) -> bool:
        """Whether the mixture of the first track that has one is clearly more than the sum of its stems."""
        for split in self.splits:
            for name, files in sorted(self._table[split].items()):
                if MIXTURE in files and REST not in files:
                    track = self._track(name, split, files, rest=False)
                    frames = min(track.frames, _REST_SECONDS * track.sample_rate)
                    start = (track.frames - frames) // 2
                    mixture = track.read(MIXTURE, start, frames)
                    left = mixture - sum(track.read(stem, start, frames) for stem in track.stems)
                    return bool(np.sum(np.square(left)) > _REST_ENERGY * np.sum(np.square(mixture)))
        return False

    def find_tracks(self, split: str) -> Iterable[Track]:
        for name, files in sorted(self._table[split].items()):
            yield self._track(name, split, files, rest=self._has_rest)

    def _track(self, name: str, split: str, files: dict[str, Path], rest: bool) -> Track:
        stems: dict[str, Stem] = {target: files[target] for target in self._given}
        if rest:
            if MIXTURE not in files:
                raise ValueError(
                    f"track '{name}' of split '{split}' has no {MIXTURE}, and in other tracks that is more than the "
                    "stems: add the file"
                )
            stems[REST] = {files[MIXTURE]: 1.0, **{files[target]: -1.0 for target in self._given}}
        return Track(name, split, stems, mixture=files.get(MIXTURE))


def _rows_of(root: Path) -> Iterator[tuple[str, str, str, Path]]:
    for split in folders(root):
        for track in folders(split):
            for path in sorted(track.iterdir()):
                if path.suffix.lower() in AUDIO_EXTENSIONS and path.name[0] != ".":
                    yield split.name, track.name, path.stem, path


def _rows_of_csv(table: Path) -> Iterator[tuple[str, str, str, Path]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(f"{table} has no column '{missing[0]}': its first line must be {','.join(COLUMNS)}")
            for row in reader:
                values = [(row[column] or "").strip() for column in COLUMNS]
                if not all(values):
                    raise ValueError(f"{table}, line {reader.line_num}: each of {', '.join(COLUMNS)} needs a value")
                split, track, target, path = values
                yield split, track, target, table.parent / path
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{table} is not a CSV in UTF-8: save it as one, its first line {','.join(COLUMNS)}"
        ) from error


def _place_among(usual: tuple[str, ...]) -> Callable[[str], tuple[int, str]]:
    return lambda name: (usual.index(name) if name in usual else len(usual), name)
