"""What a call is to separate: its files, and those of its folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msbench.audio.finding import audio_files


@dataclass(frozen=True)
class Failure:
    """An input that gave no stems.

    Attributes:
        path: The input.
        error: What was raised.
    """

    path: Path
    error: Exception


@dataclass(frozen=True)
class Inputs:
    """The files of a call, each once.

    Attributes:
        folder: Of all stems.
        places: Of each file's absolute path, where it belongs below that folder, with the file's ending.
        given: Of each file's absolute path, the path by which it was given.
        failures: The folders that hold no song, or cannot be listed.
    """

    folder: Path
    places: dict[Path, Path]
    given: dict[Path, Path]
    failures: list[Failure]

    @classmethod
    def of(cls, inputs: Sequence[Path], folder: Path) -> Inputs:
        """Look for them.

        Args:
            inputs: Files, and folders of them.
            folder: Of all stems; files below it are no inputs of a folder that holds it.
        """
        found = cls(folder, {}, {}, [])
        for path in inputs:
            is_folder = path.is_dir()
            for file in found._files_in(path) if is_folder else [path]:
                absolute = Path(os.path.abspath(file))
                place = file.relative_to(path) if is_folder else Path(file.name)
                if found.places.setdefault(absolute, place) == place:
                    found.given.setdefault(absolute, file)
        return found

    def _files_in(self, folder: Path) -> list[Path]:
        def refused(error: OSError) -> None:
            place = Path(os.fsdecode(error.filename or folder))
            refusals.append((place, error.strerror))

        refusals: list[tuple[Path, str | None]] = []
        own, top = self.folder.resolve(), folder.resolve()
        within = own != top and own.is_relative_to(top)
        files = [file for file in audio_files(folder, refused) if not (within and file.resolve().is_relative_to(own))]
        for place, reason in refusals:
            self._fail(place, OSError(f"cannot list the folder {place} ({reason}): correct its permissions"))
        if not files and not refusals:
            self._fail(folder, ValueError(f"{folder} holds no audio file: name the folder of the songs"))
        return files

    def _fail(self, path: Path, error: Exception) -> None:
        try:
            raise error  # who raised decides what is a bug: an error that nobody has raised would pass for one
        except Exception as raised:
            self.failures.append(Failure(path, raised))
