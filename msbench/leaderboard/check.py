"""Whether what a board publishes follows from its records."""

from __future__ import annotations

import filecmp
import re
import tempfile
import warnings
from itertools import zip_longest
from pathlib import Path

from msbench.leaderboard.board import Board
from msbench.leaderboard.exports import exports, missing_of
from msbench.leaderboard.files import FileWarning, read_records, read_text
from msbench.leaderboard.render import CELLS_HEADING, missing_cell, missing_cells
from msbench.system.errors import is_bug, sentence

AGAIN = "build it again"


def check(folder: str | Path, pages: bool = True) -> list[str]:
    """Read every record of a board, and compute all that is published of it again from the scores of its tracks.

    Tables and pages need not be there, as in a pull request that brings records alone; but where one table is, all are.

    Args:
        folder: The board's.
        pages: Whether to compare the pages in site/ too, where they are there.

    Returns:
        A sentence for each fault, none where all is well: records that cannot be read or come twice, tables that are
        absent while others are there, and of each table and page that is not what the records give, its first line. Why
        cells are missing and what can be heard are not compared, for runs are not published.

    Raises:
        FileNotFoundError: If there is no such board.
    """
    folder = Path(folder)
    faults = list(read_records(folder)[1].values())
    if faults:
        return faults  # no table follows from these
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FileWarning)  # they are faults here
            board = Board(folder)
    except ValueError as error:
        if is_bug(error):
            raise
        return [sentence(error)]
    if board.faults:
        return board.faults
    computed, missing = exports(board, faults=False), missing_of(board)
    there = [name for name in computed if (folder / name).is_file()]
    for name, text in computed.items() if there else ():
        path = folder / name
        if name not in there:
            faults.append(f"{path} is absent, and {there[0]} is there: {AGAIN}")
        else:
            faults += _difference(path, read_text(folder, path), text, missing.get(name, []))
    if board.suite_fault is None:
        left = [path for path in folder.glob("study-*") if path.suffix in (".md", ".csv", ".tex")]
        faults += [f"{path} is of no study of the suite: remove it" for path in left if path.name not in computed]
    if pages and not faults and (folder / "site").is_dir():
        faults += _differing_pages(board)
    return faults


def _difference(path: Path, published: str, computed: str, missing: list[str]) -> list[str]:
    text, _, listed = published.partition(CELLS_HEADING)
    lines = text.splitlines(), computed.partition(CELLS_HEADING)[0].splitlines()
    for number, (found, wanted) in enumerate(zip_longest(*lines, fillvalue=""), 1):
        if found != wanted:
            return [f"{path}, line {number}: '{found}' is published and the records give '{wanted}': {AGAIN}"]
    if path.suffix != ".md":
        return []
    first = len(lines[0]) + CELLS_HEADING.count("\n")
    named = [line for line in listed.splitlines() if line]
    wanted_cells = missing_cells(dict.fromkeys(missing, ""))
    for i, (line, wanted) in enumerate(zip_longest(named, wanted_cells, fillvalue="")):
        if not wanted or not _is_cell(line, wanted):
            return [
                f"{path}, line {first + i}: '{line}' is published as a missing cell, and the suite gives "
                f"'{wanted.removesuffix(': ')}': {AGAIN}"
            ]
    return []


_DIGITS = re.compile(r"-[0-9a-f]{8}$")


def _is_cell(line: str, wanted: str) -> bool:
    """Whether a published line is of a cell: digits of its identity are known only where its recipe is."""
    if line.startswith(wanted):
        return True
    bare = wanted.removesuffix(": ")
    begun, found = _DIGITS.sub("", bare), re.escape(_DIGITS.sub("", bare))
    matched = re.match(rf"{found}(-[0-9a-f]{{8}})?: ", line)
    return matched is not None and (begun == bare or matched[1] is None)


def _published_names(board: Board) -> dict[str, str]:
    """The missing cells by the names that the published table has for them, which were found to be of the same ones."""
    page = board.folder / "board.md"
    listed = read_text(board.folder, page).partition(CELLS_HEADING)[2].splitlines() if page.is_file() else []
    lines = [line for line in listed if line]
    found = {}
    for line, (name, why) in zip(lines, board.missing.items(), strict=False):
        plain = _DIGITS.sub("", name)
        matched = re.match(rf"{re.escape(missing_cell(plain))}(-[0-9a-f]{{8}})?: ", line)
        found[plain + (matched[1] or "") if matched else name] = why
    return found or board.missing


def _differing_pages(board: Board) -> list[str]:
    """Pages are built again and compared file by file, but for what comes from runs, which are not published."""
    from msbench.leaderboard.site import sound  # these import torch, which a board without pages need not wait for
    from msbench.leaderboard.site.build import fill_site

    with tempfile.TemporaryDirectory() as temporary:
        made, published = Path(temporary), board.folder / "site"
        board.missing = _published_names(board)
        fill_site(board, made)
        names = {
            path.relative_to(root).as_posix()
            for root in (made, published)
            for path in root.rglob("*")
            if path.is_file()
        }
        for name in sorted(name for name in names if not name.startswith(("health.html", *sound.FILES))):
            ours, theirs = made / name, published / name
            if not theirs.is_file():
                return [f"{theirs} is absent: {AGAIN}"]
            if not ours.is_file():
                return [f"{theirs} is no page of this board: {AGAIN}"]
            if not filecmp.cmp(ours, theirs, shallow=False):
                return [f"{theirs} is not what the records give: {AGAIN}"]
    return []
