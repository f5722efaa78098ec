"""What a process prints to whoever started it."""

from __future__ import annotations

import io
import sys


def show_any_name() -> None:
    """Let stdout and stderr escape what they cannot encode: a name is no reason for a command to end.

    File names may hold bytes that are no text, and a terminal may know ASCII alone (LC_ALL=C).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a test may have put something else there
            stream.reconfigure(errors="backslashreplace")
