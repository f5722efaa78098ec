"""Audio files in folders of anybody's: by their endings, without what desktops and storage systems leave there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

BY_LIBSNDFILE = (
    *(".wav", ".wave", ".flac", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".bwf"),
    *(".mp3", ".mp2", ".ogg", ".oga", ".opus"),
)
BY_FFMPEG = (
    *(".m4a", ".m4b", ".mp4", ".aac", ".wma", ".ac3", ".eac3", ".ape", ".wv", ".tta", ".mpc", ".amr", ".3gp", ".mka"),
    *(".mkv", ".webm", ".mov", ".m4v", ".avi", ".wmv", ".asf", ".mpg", ".mpeg", ".flv"),
)
ENDINGS = BY_LIBSNDFILE + BY_FFMPEG

# Folders of thumbnails, of deleted files and of archives' resource forks; in lower case.
_SYSTEM = {
    *("@eadir", "#recycle", "#snapshot", "@recently-snapshot", "@recycle", "__macosx", "$recycle.bin", "lost+found"),
    *("system volume information", "network trash folder", "temporary items"),
}


def is_system(name: str) -> bool:
    """Whether a file or folder is hidden, or a system's own: "._x.wav", "@eaDir", "__MACOSX"."""
    return name.startswith(".") or name.lower() in _SYSTEM


def audio_files(folder: Path, on_error: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """The audio files of a folder and of the folders in it, in order; links to folders are not followed.

    Args:
        folder: Whose own name may be anything.
        on_error: Called with what keeps a folder from being listed; it is passed over.
    """
    for place, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not is_system(name))
        for name in sorted(files):
            if name.lower().endswith(ENDINGS) and not is_system(name):
                yield Path(place, name)
