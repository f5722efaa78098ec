"""What can be said against a call before its model is there: weights may have to be downloaded first, which is long."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msbench.audio.reading import AudioReader
from msbench.separation.batch import refuse_overwriting, songs_of
from msbench.separation.inputs import Failure, Inputs
from msbench.separation.marks import mark_of
from msbench.separation.output import Output
from msbench.system import errors


def check_inputs(inputs: Inputs) -> list[Failure]:
    """Find out whether there is anything to separate, and a folder to write to.

    Returns:
        What is wrong with each of the inputs where none of them can be read; nothing as soon as one can.

    Raises:
        OSError: If the folder cannot be made or written to.
    """
    _refuse_folder(inputs.folder)
    failures = [*inputs.failures]
    for file in inputs.given.values():
        try:
            with AudioReader(file):
                return []
        except Exception as error:
            if errors.is_bug(error):
                raise
            failures.append(Failure(file, error))
    return failures


def check_outputs(inputs: Inputs, output: Output, targets: Sequence[str], model: str, *, force: bool) -> None:
    """Refuse what the stems of a model's targets could not be written as.

    Args:
        inputs: What there is to separate, and the folder of all stems.
        output: What is written of a song.
        targets: Of the model, which need not be there.
        model: Its name.
        force: Whether files that are there are replaced.

    Raises:
        ValueError: As `songs_of`.
        FileExistsError: If a file is there that no call of msbench has written.
    """
    songs = songs_of(inputs, output, targets, model)
    if not force:
        files = [path for song in songs for path in song.stems.values() if path.exists() or path.is_symlink()]
        refuse_overwriting([path for path in files if mark_of(path) is None])


def _refuse_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made, or not be written to."""
    place = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not place.is_dir():
        raise NotADirectoryError(f"{place} is a file where the folder of the stems would go: give another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write in {place} (Permission denied): give another folder")
