"""Text files that strangers wrote, bounded before any parser sees them: size, depth and count.

The C parsers of JSON and YAML call themselves for each level, and end the process where that goes too deep; YAML's
aliases let 400 bytes stand for gigabytes.
"""

from __future__ import annotations

import errno
import json
import os
import re
import reprlib
import stat
from datetime import date
from pathlib import Path
from typing import Any

LONGEST = 64 * 2**20  # bytes of a file; a record of 150 tracks has some 200,000
DEEPEST = 64  # levels; our own files have up to 8
MOST = 1_000_000  # values, each alias counted as what it stands for

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # possessive: what it has passed takes no memory
_NO_FILE = (errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.ENODEV)  # links in a circle, a socket, a device
_BRACKET = re.compile(r"[\[\]{}]")


def read_text(path: Path, longest: int = LONGEST) -> str:
    """The text of a regular file, in UTF-8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is a folder, a pipe or a device, too large, or not UTF-8; the message names it.
    """
    try:
        # Without O_NONBLOCK, to open a pipe that nobody writes to would wait forever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"no file {path}: correct the path") from error
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        raise ValueError(f"{path} is no regular file ({error.strerror}): give a file") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path} is no regular file: give a file, not a folder, a pipe or a device")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(longest + 1)
    if len(content) > longest:
        raise ValueError(f"{path} is larger than {longest / 2**20:.0f} MiB: it is not what is read here")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path} is not UTF-8: line {line}: save the file as UTF-8") from error


def read_json(path: Path) -> Any:
    """What the JSON in a regular file holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, too large, too deep, not UTF-8 or not JSON.
    """
    text = read_text(path)
    check_json(text)
    return json.loads(text)


def read_tail(path: Path, longest: int) -> str:
    """The last bytes of a regular file as text, as of a log that grows; nothing where it is none, or a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return ""
        file.seek(max(0, status.st_size - longest))
        return file.read(longest).decode("utf-8", "replace")


def check_json(text: str, deepest: int = DEEPEST) -> None:
    """Look at brackets and commas alone, before a parser does.

    Raises:
        ValueError: If values lie too deep, or there are too many.
    """
    bare = _STRING.sub('""', text)
    depth = 0
    if bare.count(",") + bare.count(":") + bare.count("[") + bare.count("{") > MOST:
        raise ValueError(f"it holds more than {MOST:,} values")
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > deepest:
            raise ValueError(f"values lie more than {deepest} levels deep")


def check_yaml(text: str, most: int = MOST) -> None:
    """Go through the events of a YAML text, which takes no call per level, before it is composed.

    Raises:
        ValueError: If values lie too deep, or there are too many once aliases are expanded; the message names the line.
        yaml.YAMLError: If it is not YAML.
    """
    import yaml  # what is listed without a look into YAML needs none of it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    sizes: dict[str, int] = {}  # anchor -> values that an alias to it stands for
    open_nodes: list[tuple[str | None, int]] = []  # (anchor, values before it)
    count = 0
    for event in yaml.parse(text, Loader=loader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            assert event.anchor is not None
            if event.anchor not in sizes:
                raise ValueError(f"line {line}: the alias *{event.anchor[:40]} stands for nothing before it")
            count += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = count - before
        if len(open_nodes) > DEEPEST:
            raise ValueError(f"line {line}: values lie more than {DEEPEST} levels deep")
        if count > most:
            raise ValueError(f"line {line}: it holds more than {most:,} values")


_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxdict, _SHOWN.maxlist, _SHOWN.maxtuple = 3, 4, 4, 4
_SHOWN.maxstring = _SHOWN.maxlong = _SHOWN.maxother = 80


def cut(text: str, longest: int = 300) -> str:
    """What a library says of a stranger's file, which may repeat the file: cut where it is long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shown(value: object) -> str:
    """A stranger's value as an error shows it: what is long or deep is cut, however large the value is.

    >>> shown([1, [2, "x" * 1000]])
    "[1, [2, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']]"
    """
    try:
        return value.isoformat() if isinstance(value, date) else cut(_SHOWN.repr(value))
    except ValueError:  # an integer of more digits than Python turns into text
        return f"an integer of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__
