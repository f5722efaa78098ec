"""Files and folders written under a temporary name and then renamed, so that none is ever half there."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

_LONGEST_NAME = 30  # characters of a name that its temporary name repeats: file systems end names at 255 bytes


def write_json(path: Path, content: Any, indent: int | None = 1) -> None:
    """Write JSON under a temporary name, then rename; the folder is made if need be.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, content: str) -> None:
    """Write text under a temporary name, then rename.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    with replacing(path) as part:
        part.write_text(content, encoding="utf-8")


@contextlib.contextmanager
def appending(path: Path) -> Iterator[TextIO]:
    """Yield a text file open at its end, line by line on the disk; it is made if need be.

    Raises:
        ValueError: If there is a link by this name, which may lead anywhere: folders are passed on, with their links.
        OSError: If it cannot be opened.
    """
    if path.is_symlink():
        raise ValueError(f"{path} is a link, and what is written there goes elsewhere: remove it")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    with os.fdopen(descriptor, "a", buffering=1, encoding="utf-8") as file:
        yield file


def refuse_links(folder: Path) -> None:
    """Refuse a folder of ours that came with links in it, as a cloned board may: what is written would go elsewhere.

    A link to a checkpoint is kept, since it is read, and replaced where it is written; so is one to something in the
    folder itself, such as wandb's `latest-run`.

    Raises:
        ValueError: If the folder is a link, or there is one in it.
    """
    found = [folder] if folder.is_symlink() else []
    for place, folders, names in os.walk(folder):
        found += [path for name in (*folders, *names) if (path := Path(place, name)).is_symlink()]
    for link in found:
        if link.suffix != ".ckpt" and (link == folder or not link.resolve().is_relative_to(folder.resolve())):
            raise ValueError(f"{link} is a link, and what is written there goes elsewhere: remove it")


@contextlib.contextmanager
def replacing(path: Path, mark: str = "") -> Iterator[Path]:
    """Yield a temporary name; what is written there, a file or a folder, is renamed to `path` at the end.

    Until then, and if the block raises, whatever was at `path` stays as it was.

    Args:
        path: The final name.
        mark: Where folders are written, a file that each of them holds: no other folder than such a one is replaced.

    Raises:
        FileExistsError: If a folder is at `path` that holds something, and not the mark.
    """
    with part_of(path) as part:
        yield part
        if not (part.is_dir() and path.exists()):
            part.replace(path)
            return
        if path.is_dir() and any(path.iterdir()) and not (mark and (path / mark).is_file()):
            raise FileExistsError(
                f"{path} is there, and msbench has not written it: move it elsewhere, or give another folder"
            )
        with part_of(path) as old:  # no system renames onto a folder that holds something
            path.rename(old)
            try:
                part.rename(path)
            except OSError:
                old.rename(path)
                raise


@contextlib.contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """Yield the temporary name of a path, in the same folder; what is left there at the end is removed.

    The name is hidden and no other process has it, on this machine or another one that shares the folder.
    """
    part = part_name(path)
    try:
        yield part
    finally:
        _remove(part)


def part_name(path: Path) -> Path:
    """A temporary name for a path that no other call returns; `clear_parts` knows whose it is."""
    return path.with_name(f".{path.name[:_LONGEST_NAME]}.{secrets.token_hex(4)}.{os.getpid()}@{platform.node()}.part")


def clear_parts(path: Path) -> None:
    """Remove what processes that were killed on this machine have left under temporary names of a path."""
    for part in path.parent.glob(f".{glob.escape(path.name[:_LONGEST_NAME])}.*@{glob.escape(platform.node())}.part"):
        owner = part.name.removesuffix(".part").rpartition("@")[0].rpartition(".")[2]
        try:
            os.kill(int(owner), 0)
        except ProcessLookupError:
            _remove(part)
        except (ValueError, OSError):
            continue  # another user's process, or a name that is not ours


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
