"""Whether what a board publishes follows from its records."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from msbench import records
from msbench.leaderboard.board import Board
from msbench.leaderboard.render import exports


def check(folder: str | Path) -> list[str]:
    """Read every record of a board, and compute every published table again from the scores of its tracks.

    Returns:
        A sentence for each fault, none where all is well: records that cannot be read or come twice, and the first line
        of each table that is not what the records give. Why cells are missing is not compared: runs are not published.

    Raises:
        FileNotFoundError: If there is no such board.
    """
    folder = Path(folder)
    faults = []
    for path in sorted((folder / "records").glob("*.json")):
        try:
            records.read(path)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        return faults  # no table follows from these
    try:
        board = Board(folder)
    except ValueError as error:
        return [str(error)]
    for name, text in exports(board.table(), board.title, board.missing()).items():
        path = folder / name
        if path.is_file():
            faults += _difference(path, path.read_text("utf-8"), text)
    return faults


def _difference(path: Path, published: str, computed: str) -> list[str]:
    lines = (text.split("\nMissing:\n")[0].splitlines() for text in (published, computed))
    for number, (found, wanted) in enumerate(zip_longest(*lines, fillvalue=""), 1):
        if found != wanted:
            return [f"{path}, line {number}: '{found}' is published and the records give '{wanted}': build it again"]
    return []
