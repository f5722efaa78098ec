"""What a process prints to whoever started it."""

from __future__ import annotations

import io
import os
import sys
import unicodedata

_CONTROLS = ("Cc", "Zl", "Zp")


def show_any_name() -> None:
    """Let stdout and stderr escape what they cannot encode: a name is no reason for a command to end.

    File names may hold bytes that are no text, and a terminal may know ASCII alone (LC_ALL=C). Where a stream was
    closed by whoever started the process, what is printed goes nowhere.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # for as long as the process lives
        elif isinstance(stream, io.TextIOWrapper):  # a test may have put something else there
            stream.reconfigure(errors="backslashreplace")


def visible(text: str) -> str:
    """Text of strangers as a terminal may show it: control characters and line breaks are their escapes."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _CONTROLS else character
        for character in text
    )
