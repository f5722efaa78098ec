"""Many files in one call: where the stems of each go, and one bad file that ends none of the others."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msbench.audio.finding import audio_files
from msbench.audio.writing import NoSpace
from msbench.model.separator import Separator
from msbench.separation.inference import DEFAULTS, Inference
from msbench.separation.pipeline import Progress, folder_name, separate_into


@dataclass(frozen=True)
class Song:
    """One file to separate.

    Attributes:
        path: The file.
        folder: Of its stems.
    """

    path: Path
    folder: Path


@dataclass(frozen=True)
class Failure:
    """An input that gave no stems.

    Attributes:
        path: The input.
        error: What was raised.
    """

    path: Path
    error: Exception


def songs_of(
    inputs: Sequence[Path], output: Path, targets: Sequence[str], extension: str = "wav"
) -> tuple[list[Song], list[Failure]]:
    """Find what there is to separate, and give each file a folder of its own; nothing is written.

    A file `song.wav` gets `<output>/song/`; one in a folder that is given keeps its place in it, so that
    `album/cd1/song.wav` of `album` gets `<output>/cd1/song/`. Files that would share a folder are told apart by the
    last parts of their paths, or else by their endings: `a/01.wav` and `b/01.wav` get `a/01/` and `b/01/`, `01.wav` and
    `01.flac` get `01.wav/` and `01.flac/`. A file that is given twice is separated once.

    Args:
        inputs: Files, and folders of them.
        output: The folder of all stems; files below it are no inputs of a folder that holds it.
        targets: Names of the stems.
        extension: Of the stems.

    Returns:
        The songs, and the folders that hold none.

    Raises:
        ValueError: If two files would share a folder all the same, a stem would overwrite one of the files, or a link
            leads out of the output.
    """
    found: dict[Path, Path] = {}  # absolute path -> its place under the output, with the file's ending
    failures: list[Failure] = []
    given: dict[Path, Path] = {}  # absolute path -> as it was given
    for path in inputs:
        files = [path]
        if path.is_dir():
            files = _files_in(path, output, failures)
        for file in files:
            absolute = Path(os.path.abspath(file))
            place = file.relative_to(path) if path.is_dir() else Path(file.name)
            if found.setdefault(absolute, place) == place:
                given.setdefault(absolute, file)
    folds = _folds_case(output)
    places = _told_apart(found, folds)
    songs = [Song(given[path], output / place) for path, place in places.items()]
    for song in songs:
        if not song.folder.resolve().is_relative_to(output.resolve()):
            raise ValueError(f"{song.folder} leads out of {output}: remove the link in it")
    _refuse_clashes(songs, [f"{target}.{extension}" for target in targets], folds)
    return songs, failures


def separate_songs(
    model: Separator,
    songs: Sequence[Song],
    inference: Inference = DEFAULTS,
    progress: Callable[[Song], Progress] | None = None,
) -> Iterator[tuple[Song, dict[str, Path] | Exception]]:
    """Separate one file after another: gives each with its stems, or with what was raised.

    A full disk ends it after the file that met it, as no other could be written. Stems of an earlier call are replaced
    when all of a song's are complete.

    Args:
        model: As `separate`.
        songs: As `songs_of` gives them.
        inference: How the model is run.
        progress: Gives what is told how far a song is.
    """
    for song in songs:
        try:
            told = None if progress is None else progress(song)
            yield song, separate_into(model, song.path, song.folder, inference, progress=told)
        except Exception as error:
            yield song, error
            if isinstance(error, NoSpace):
                return


def _files_in(folder: Path, output: Path, failures: list[Failure]) -> list[Path]:
    def refused(error: OSError) -> None:
        place = Path(os.fsdecode(error.filename or folder))
        refusals.append((place, error.strerror))

    refusals: list[tuple[Path, str | None]] = []
    own, top = output.resolve(), folder.resolve()
    within = own != top and own.is_relative_to(top)
    files = [file for file in audio_files(folder, refused) if not (within and file.resolve().is_relative_to(own))]
    for place, reason in refusals:
        failures.append(_failed(place, OSError(f"cannot list the folder {place} ({reason}): correct its permissions")))
    if not files and not refusals:
        failures.append(_failed(folder, ValueError(f"{folder} holds no audio file: name the folder of the songs")))
    return files


def _failed(path: Path, error: Exception) -> Failure:
    try:
        raise error  # who raised decides what is a bug: an error that nobody has raised would pass for one
    except Exception as raised:
        return Failure(path, raised)


def _told_apart(found: dict[Path, Path], folds: bool) -> dict[Path, Path]:
    """The folder of each file, relative to the output."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path, place in found.items():
        groups[_key(place.parent / folder_name(place), folds)].append(path)
    named: dict[Path, Path] = {}
    for paths in groups.values():
        least = len(found[paths[0]].parts)
        for path, place in zip(paths, _shortest(paths, least, folds), strict=True):
            named[path] = place
    return {path: named[path] for path in found}


def _shortest(paths: list[Path], least: int, folds: bool) -> list[Path]:
    """The last parts of paths, as few as tell them apart but no fewer than `least`; with their endings if need be."""
    plain = [path.parent / folder_name(path) for path in paths]
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


def _refuse_clashes(songs: list[Song], stems: list[str], folds: bool) -> None:
    taken: dict[str, Path] = {}  # where stems and their folders go -> the file they are of
    for song in songs:
        clash = taken.setdefault(_key(song.folder, folds), song.path)
        if clash != song.path:
            raise ValueError(
                f"{clash} and {song.path} would be separated into one folder, {song.folder}: "
                "rename one, or give them outputs of their own"
            )
    inputs = {place: song.path for song in songs for place in (_place(song.path), song.path.resolve())}
    folders = {_key(place, folds) for song in songs for place in (song.folder, *song.folder.parents)}
    for song in songs:
        resolved = song.folder.resolve()
        for stem in stems:
            if resolved / stem in inputs:
                raise ValueError(
                    f"a stem of {song.path} would overwrite the mixture {inputs[resolved / stem]}: "
                    "give another output folder"
                )
            if _key(song.folder / stem, folds) in folders:
                raise ValueError(
                    f"{song.folder / stem} would be a stem of {song.path} and the folder of another file's stems: "
                    "rename one, or give them outputs of their own"
                )


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
