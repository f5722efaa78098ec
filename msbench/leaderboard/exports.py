"""Every text that a board and its studies are published as."""

from __future__ import annotations

from msbench.leaderboard.board import Board
from msbench.leaderboard.render import board_exports


def exports(board: Board, faults: bool = True) -> dict[str, str]:
    """{file name: content}.

    Args:
        board: The board.
        faults: Whether board.json names the records that cannot be read.
    """
    found = board_exports(board.table(), board.title, board.missing, board.public_faults if faults else ())
    for results in board.study_results:
        from msbench.leaderboard.study_render import study_exports  # it loads the metrics, which take a while

        found |= study_exports(results, board.title)
    return found


def missing_of(board: Board) -> dict[str, list[str]]:
    """{file name: names of the cells that it lists as missing}, in its order."""
    listed = {"board.md": list(board.missing)}
    return listed | {f"study-{results.name}.md": list(results.missing) for results in board.study_results}
