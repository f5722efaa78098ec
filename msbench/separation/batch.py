"""Many files in one call: where the stems of each go, and one bad file that ends none of the others."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from msbench.audio.writing import NoSpace
from msbench.model.separator import Separator
from msbench.separation.inference import Inference
from msbench.separation.inputs import Inputs
from msbench.separation.marks import Marks
from msbench.separation.output import Output
from msbench.separation.pipeline import Progress
from msbench.separation.song import Song, Written, separate_song
from msbench.system.wording import counted


def separate_files(
    model: Separator,
    inputs: Iterable[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    force: bool = False,
    progress: Callable[[Song], Progress] | None = None,
    **options: Any,
) -> dict[Path, dict[str, Path]]:
    """Separate audio files and folders of them, as `msbench separate` does, in bounded memory.

    Songs that the same call has separated before are left as they are. The first failure ends the call; the same call
    goes on from there.

    Args:
        model: As for `msbench.separate`.
        inputs: Files, and folders of them.
        folder: Of all stems.
        force: Whether files that are there are replaced.
        progress: Gives what is told how far a song is.
        options: The fields of `Output` (`format`, `clip`, `name`, `residual`, `two_stems`) and of `Inference`.

    Returns:
        {input: {stem: its file}}.

    Raises:
        FileExistsError: If another call, or somebody else, has written one of the files.
        ValueError, OSError, TypeError: As `songs_of`, `msbench.separate` and the writing of a song.
    """
    known = [field.name for field in fields(Output)]
    output = Output(**{key: value for key, value in options.items() if key in known})
    rest = {key: value for key, value in options.items() if key not in known}
    inference = Inference.of(rest, others=[*known, "force", "progress"])
    name = (model.registered or {}).get("name", type(model).__name__)
    found = Inputs.of([Path(path) for path in inputs], Path(folder))
    if found.failures:
        raise found.failures[0].error
    songs = songs_of(found, output, model.targets, name)
    marks = Marks(model, name, inference, output)
    for _, outcome in separate_songs(model, songs if force else unfinished(songs, marks), marks, progress):
        if isinstance(outcome, Exception):
            raise outcome
    return {song.path: song.stems for song in songs}


def songs_of(inputs: Inputs, output: Output, targets: Sequence[str], model: str) -> list[Song]:
    """Give each stem of the inputs a file of its own; nothing is written.

    The track of a file `song.wav` is "song"; one in a folder that is given keeps its place in it, so that that of
    `album/cd1/song.wav` of `album` is "cd1/song". Files that would share a track are told apart by the last parts of
    their paths, or else by their endings: `a/01.wav` and `b/01.wav` are "a/01" and "b/01", `01.wav` and `01.flac` are
    "01.wav" and "01.flac". A file that is given twice is separated once.

    Args:
        inputs: What there is to separate, and the folder of all stems.
        output: What is written of a song.
        targets: Of the model.
        model: Its name.

    Raises:
        ValueError: If two stems would share a file, a stem would overwrite one of the inputs, or a link leads out of
            the folder.
    """
    folder = inputs.folder
    folds = _folds_case(folder)
    places = _told_apart(inputs.places, folds)
    songs = [Song(inputs.given[path], output.paths(folder, place, model, targets)) for path, place in places.items()]
    top = folder.resolve()
    for parent in dict.fromkeys(stem.parent for song in songs for stem in song.stems.values()):
        if not parent.resolve().is_relative_to(top):
            raise ValueError(f"{parent} leads out of {folder}: remove the link in it")
    _refuse_clashes(songs, folds)
    return songs


def unfinished(songs: Sequence[Song], marks: Marks) -> list[Song]:
    """The songs whose stems are not all there yet, as this call writes them.

    Raises:
        FileExistsError: If one of their files is there and was made with or from something else.
    """
    left, others = [], []
    for song in songs:
        files = [path for path in song.stems.values() if path.exists() or path.is_symlink()]
        try:
            ours = marks.are_on(song.path, files)
        except OSError:  # of the input, which its separation says
            ours = [True for _ in files]
            left += [song] if len(files) == len(song.stems) else []
        others += [path for path, own in zip(files, ours, strict=True) if not own]
        if len(files) < len(song.stems):
            left.append(song)
    refuse_overwriting(others)
    return left


def refuse_overwriting(others: Sequence[Path]) -> None:
    """Refuse to replace files that another call, or somebody else, has written."""
    if others:
        more = f" and {counted(len(others) - 1, 'other file')}" if others[1:] else ""
        raise FileExistsError(
            f"{others[0]}{more} would be overwritten, and another model, input or setting made what is there: give "
            "another folder or --name, or replace it with --force"
        )


def separate_songs(
    model: Separator, songs: Sequence[Song], marks: Marks, progress: Callable[[Song], Progress] | None = None
) -> Iterator[tuple[Song, Written | Exception]]:
    """Separate one file after another: gives each with what was written, or with what was raised.

    A full disk ends it after the file that met it, as no other could be written. What is there is replaced when all
    stems of a song are complete.

    Args:
        model: As `msbench.separate`.
        songs: As `songs_of` gives them.
        marks: Of the call; they hold how the model is run and what is written.
        progress: Gives what is told how far a song is.
    """
    for song in songs:
        try:
            told = None if progress is None else progress(song)
            yield song, separate_song(model, song, marks, told)
        except Exception as error:
            yield song, error
            if isinstance(error, NoSpace):
                return


def _told_apart(found: dict[Path, Path], folds: bool) -> dict[Path, Path]:
    """The track of each file."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path, place in found.items():
        groups[_key(place.parent / _track(place), folds)].append(path)
    named: dict[Path, Path] = {}
    for paths in groups.values():
        least = len(found[paths[0]].parts)
        for path, place in zip(paths, _shortest(paths, least, folds), strict=True):
            named[path] = place
    return {path: named[path] for path in found}


def _shortest(paths: list[Path], least: int, folds: bool) -> list[Path]:
    """The last parts of paths, as few as tell them apart but no fewer than `least`; with their endings if need be."""
    plain = [path.parent / _track(path) for path in paths]
    for candidates in (plain, paths):
        for count in range(least, max(len(path.parts) for path in paths)):
            places = [Path(*path.parts[1:][-count:]) for path in candidates]
            if len({_key(place, folds) for place in places}) == len(paths):
                return places
    first, second = paths[0], paths[1]
    raise ValueError(
        f"{first} and {second} would be separated into one folder, as the output does not tell their names apart: "
        "rename one, or give them outputs of their own"
    )


def _refuse_clashes(songs: list[Song], folds: bool) -> None:
    taken: dict[str, Path] = {}  # where a stem goes -> the song it is of
    inputs = {place: song.path for song in songs for place in (_place(song.path), song.path.resolve())}
    folders = {_key(parent, folds) for song in songs for stem in song.stems.values() for parent in stem.parents}
    for song in songs:
        for stem in song.stems.values():
            if _key(stem, folds) in taken:
                raise ValueError(
                    f"stems of {taken[_key(stem, folds)]} and of {song.path} would both be {stem}: rename one, give "
                    "them outputs of their own, or a --name with {track}"
                )
            taken[_key(stem, folds)] = song.path
            mixture = inputs.get(stem.parent.resolve() / stem.name)
            if mixture is not None:
                raise ValueError(
                    f"a stem of {song.path} would overwrite the mixture {mixture}: give another output folder"
                )
            if _key(stem, folds) in folders:
                raise ValueError(
                    f"{stem} would be a stem of {song.path} and the folder of another file's stems: "
                    "rename one, or give them outputs of their own"
                )


def _track(path: Path) -> str:
    """A file's own name without the ending, unless ".." is left, which would lead out of the output."""
    return path.name if path.stem in (".", "..") else path.stem


def _place(path: Path) -> Path:
    """Where a file lies, itself not followed if it is a link."""
    return path.parent.resolve() / path.name


def _key(place: Path, folds: bool) -> str:
    return unicodedata.normalize("NFC", str(place)).casefold() if folds else str(place)


def _folds_case(folder: Path) -> bool:
    """Whether the file system of a folder, that need not be there yet, takes "A" and "a" for one name."""
    for place in (folder.absolute(), *folder.absolute().parents):
        other = place.with_name(place.name.swapcase()) if place.name else place
        if place.exists() and other != place:
            return other.exists() and other.samefile(place)
    return False
