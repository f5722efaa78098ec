"""A whole benchmark on this machine: every cell of a suite that has no record yet, then the board.

The module is not called `bench`, as its function is: imported, it would take the place of `msbench.bench`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from msbench.cluster.local import prepare_data, run_cells
from msbench.cluster.plan import missing_cells
from msbench.cluster.settings import check_settings
from msbench.leaderboard.board import Board
from msbench.leaderboard.publish import publish
from msbench.runs.suite import read_suite
from msbench.system.errors import located, one_line
from msbench.system.files import write_text
from msbench.system.threads import processors

MOST_JOBS = 4  # by default: each cell holds a model, its data and torch in memory


@dataclass(frozen=True)
class Benched:
    """What a call of `bench` did.

    Attributes:
        board: The board, of all records of the suite.
        done: Names of the cells that were run now and have their record.
        failed: Name of each cell that failed, and why, in one sentence.
        written: The files of the board; the last is the page to open.
    """

    board: Board
    done: tuple[str, ...]
    failed: Mapping[str, str]
    written: tuple[Path, ...]


def bench(suite: str | Path, *, jobs: int | None = None, console: Console | None = None, yes: bool = False) -> Benched:
    """Run every missing cell of a suite here, then build its board.

    A cell that fails stops no other. A second call runs what is missing, so an interrupted one goes on. Cells run in
    processes of their own, which import the script that calls: call it below `if __name__ == "__main__":` there, and
    from the main thread, where signals can be handled.

    Args:
        suite: A suite.yaml, or its folder.
        jobs: Cells at a time; when None, one per processor that this process may use, but at most four.
        console: Where the progress is shown; nowhere when None.
        yes: Whether the sweeps of the suite may stand for more than 1,000 cells.

    Raises:
        FileNotFoundError: If the suite, or what it names, is not there.
        KeyError: If a model or a dataset is unknown.
        ValueError: If a field of the suite or `jobs` is out of range, a cell has no such setting, or asks for more GPUs
            than there are.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    read = read_suite(suite, yes)
    console = console or Console(quiet=True)
    missing = missing_cells(read)
    title = one_line(read.title)  # a stranger's, in which neither markup nor escape sequences may act
    console.print(f"{title}: {len(read.cells)} cells, {len(missing)} to do", markup=False, highlight=False)
    failed: dict[str, str] = {}
    if missing:
        with located(str(read.path)):
            check_settings(missing)
        prepare_data(read, console)
        failed = run_cells(read, missing, jobs or min(processors(), MOST_JOBS), console)
    board = Board(read.folder)
    done = tuple(cell.name for cell in missing if cell.name not in failed)
    return Benched(board, done, failed, tuple(publish(board)))


def demo_suite() -> Path:
    """The demo suite below the current folder, copied from msbench where it is not there yet."""
    path = Path("leaderboards/demo/suite.yaml")
    if not path.exists():
        # Not importlib.resources: in an editable install it trips over the finder among the folders of this package,
        # which has no __init__.py (Python 3.11 and 3.12).
        spec = find_spec("msbench_leaderboards")
        folders = (spec and spec.submodule_search_locations) or ()
        found = [file for folder in folders if (file := Path(folder, "demo/suite.yaml")).is_file()]
        if not found:
            raise FileNotFoundError("the demo suite did not come with this msbench: install it again")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, found[0].read_text("utf-8"))
    return path
