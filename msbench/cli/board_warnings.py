"""What a board warns of, printed as the command line prints errors: in one line."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO

from msbench.system.errors import one_line


@contextlib.contextmanager
def board_warnings() -> Iterator[None]:
    """Print what a board warns of as the command line prints errors, in one line."""
    from msbench.leaderboard.files import BoardWarning

    show = warnings.showwarning

    def show_sentence(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, BoardWarning):
            print(f"msbench: {one_line(str(message))}", file=sys.stderr)
        else:
            show(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", BoardWarning)
        warnings.showwarning = show_sentence
        yield
