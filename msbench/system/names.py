"""Names that become parts of paths: of splits, tracks, targets, labels and runs, whoever gave them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from msbench.system.bounded import shown

LONGEST = 180  # bytes: file systems end a name at 255, and ours append a split, a seed, an extension
LONGEST_PATH, LONGEST_PART = 4000, 255  # bytes that systems take
LONGEST_FILE = 240  # bytes of a name that lies in a folder already, as those of tracks do

_CONTROLS = ("Cc", "Cs", "Zl", "Zp")


def plain_name(name: object, what: str, longest: int = LONGEST) -> str:
    """The name itself, where it is the name of one file or folder and nothing else.

    Args:
        name: What was given.
        what: What it names, for the error: "label", "track of t.csv, line 3".
        longest: In bytes.

    Raises:
        ValueError: If it is no text, is empty, too long, hidden, or holds a slash or a control character.
    """
    fault = _fault(name, longest)
    if fault is not None:
        raise ValueError(f"{what} {shown(name)} {fault}: give it another name")
    assert isinstance(name, str)
    return name


def _fault(name: object, longest: int) -> str | None:
    if not isinstance(name, str):
        return "is no text"
    faults = {
        "is empty": not name.strip(),
        "begins with a dot": name.startswith("."),
        "holds a slash, and it becomes the name of one file or folder": "/" in name or "\\" in name,
        "holds a control character": not (name.isascii() and name.isprintable())
        and any(unicodedata.category(c) in _CONTROLS for c in name),
        f"is longer than {longest} bytes": len(name.encode(errors="replace")) > longest,
    }
    return next((fault for fault, found in faults.items() if found), None)


def plain_path(text: str, what: str) -> str:
    """The text itself, where a system can take it for a path, wherever that leads.

    Raises:
        ValueError: If it holds a control character, or it or a part of it is too long.
    """
    if any(unicodedata.category(c) in _CONTROLS for c in text):
        raise ValueError(f"{what} {shown(text)} holds a control character: correct it")
    if max(len(part.encode(errors="replace")) for part in text.split("/")) > LONGEST_PART or len(text) > LONGEST_PATH:
        raise ValueError(f"{what} {shown(text)} is longer than a path can be: correct it")
    return text


def inside(folder: Path, *names: str) -> Path:
    """The path of names within a folder: what is written under an output goes through here.

    Raises:
        ValueError: If a name is not a plain one, or a link in the folder leads out of it.
    """
    path = folder.joinpath(*(plain_name(name, "name", LONGEST_FILE) for name in names))
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{path} leads out of {folder}: remove the link in it")
    return path
