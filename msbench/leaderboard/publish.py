"""All that a board is published as, written into its folder."""

from __future__ import annotations

from pathlib import Path

from msbench.leaderboard.board import Board
from msbench.leaderboard.chart import chart
from msbench.leaderboard.curves import update_curves
from msbench.leaderboard.exports import exports
from msbench.leaderboard.site.build import build_site
from msbench.system.files import write_text


def publish(board: Board) -> list[Path]:
    """Write board.md, .csv, .json, .tex and .png, the same of each study, and the pages in site/.

    The same records give the same bytes. The learning curves of studies are kept in curves.json.

    Returns:
        The files, and the page to open.

    Raises:
        OSError: If one cannot be written; each file, and the pages together, are as before or whole.
    """
    table = board.table()
    written = []
    for name, text in exports(board).items():
        written.append(board.folder / name)
        write_text(written[-1], text)
    if len(table):
        written.append(board.folder / "board.png")
        chart(table, board.title, written[-1])
    return [*written, *_publish_studies(board), build_site(board)]


def _publish_studies(board: Board) -> list[Path]:
    """Write the pictures of the studies, and their learning curves."""
    if board.suite is None or not board.studies():
        return []
    from msbench.leaderboard.study_chart import study_chart

    written = [path for path in [update_curves(board.folder, board.study_runs())] if path is not None]
    for results in board.study_results:
        path = board.folder / f"study-{results.name}.png"
        if study_chart(results, board.title, path):
            written.append(path)
    return written
