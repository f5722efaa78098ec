"""Audio files in folders of anybody's: by their endings, without what desktops and storage systems leave there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from msbench.system.visible import is_visible

# Of these libsndfile reads any part to the sample; of an MP3 after a preroll.
IN_PARTS = (
    *(".wav", ".wave", ".flac", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".bwf"),
    ".mp3",
)
INEXACT = (".ogg", ".oga", ".opus")  # libsndfile 1.2 goes astray seeking into the last second of these
BY_LIBSNDFILE = (*IN_PARTS, *INEXACT, ".mp2")
BY_FFMPEG = (
    *(".m4a", ".m4b", ".mp4", ".aac", ".wma", ".ac3", ".eac3", ".ape", ".wv", ".tta", ".mpc", ".amr", ".3gp", ".mka"),
    *(".mkv", ".webm", ".mov", ".m4v", ".avi", ".wmv", ".asf", ".mpg", ".mpeg", ".flv"),
    *(".dts", ".tak", ".shn", ".dsf", ".dff", ".spx"),
)
ENDINGS = BY_LIBSNDFILE + BY_FFMPEG


def audio_files(folder: Path, on_error: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """The audio files of a folder and of the folders in it, in order; links to folders are not followed.

    Args:
        folder: Whose own name may be anything.
        on_error: Called with what keeps a folder from being listed; it is passed over.
    """
    for place, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if is_visible(name))
        for name in sorted(files):
            if name.lower().endswith(ENDINGS) and is_visible(name):
                yield Path(place, name)
