"""All that a board is published as, written into its folder."""

from __future__ import annotations

from pathlib import Path

from msbench.leaderboard.board import Board
from msbench.leaderboard.chart import chart
from msbench.leaderboard.render import exports
from msbench.leaderboard.site.build import build_site
from msbench.system.files import write_text


def publish(board: Board) -> list[Path]:
    """Write board.md, .csv, .json, .tex and .png and the pages in site/: the same bytes for the same records.

    Returns:
        The files, and the page to open.

    Raises:
        OSError: If one cannot be written; each file, and the pages together, are as before or whole.
    """
    table = board.table()
    written = []
    for name, text in exports(table, board.title, board.missing, board.public_faults).items():
        written.append(board.folder / name)
        write_text(written[-1], text)
    if len(table):
        written.append(board.folder / "board.png")
        chart(table, board.title, written[-1])
    return [*written, build_site(board)]
