"""What desktops, archives and network storages leave in everybody's folders; it is passed over wherever files are read.

Hidden files are passed over too: Apple's `.DS_Store` and the `._x` twin of a file x on foreign disks among them.
"""

from __future__ import annotations

from pathlib import Path

_CLUTTER = {
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),  # Synology, QNAP
    *("$recycle.bin", "recycler", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"),  # Windows
    *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
    "lost+found",
}


def is_visible(name: str) -> bool:
    """Whether a name in a folder is the user's: neither hidden nor one that a system has put there."""
    return not name.startswith(".") and name.casefold() not in _CLUTTER


def is_twin(name: str) -> bool:
    """Whether a file's name is one that macOS gives, unasked, to what it keeps with the files of others."""
    return name == ".DS_Store" or name.startswith("._")


def entries(folder: Path) -> list[Path]:
    """What a user sees in a folder, by name."""
    return sorted(path for path in folder.iterdir() if is_visible(path.name))


def folders(folder: Path) -> list[Path]:
    """The folders that a user sees in a folder, by name."""
    return [path for path in entries(folder) if path.is_dir()]


def all_visible(path: Path, root: Path) -> bool:
    """Whether a user sees a path from a folder that it is in."""
    return all(is_visible(part) for part in path.relative_to(root).parts)
