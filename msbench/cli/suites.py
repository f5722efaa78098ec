"""The commands that run a suite here: bench, demo."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from msbench.cli.adding import Adder, add_jobs
from msbench.system.exit_codes import FAILED


def add(command: Adder) -> None:
    """Add the commands."""
    bench = command("bench", _bench, "run every missing cell of a suite here, then print and write its board")
    bench.add_argument("suite", type=Path)
    add_jobs(bench)

    demo = command("demo", _demo, "the main job in minutes, without a download: leaderboards/demo")
    add_jobs(demo)


def _bench(options: argparse.Namespace) -> int:
    from rich.console import Console

    from msbench.cluster.local import prepare_data, run_cells
    from msbench.cluster.plan import missing_cells
    from msbench.leaderboard.board import Board
    from msbench.leaderboard.publish import publish
    from msbench.leaderboard.render import NOTE, terminal
    from msbench.runs.suite import read_suite

    suite = read_suite(options.suite)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    jobs = options.jobs if options.jobs is not None else min(os.cpu_count() or 1, 4)
    if jobs < 1:
        raise ValueError(f"--jobs must be at least 1, not {jobs}")
    missing = missing_cells(suite)
    console.print(f"{suite.title}: {len(suite.cells)} cells, {len(missing)} to do", highlight=False)
    failed = {}
    if missing:
        prepare_data(suite, console)
        failed = run_cells(suite, missing, jobs, console)
    board = Board(suite.folder)
    written = publish(board)
    for table in terminal(board.table(), board.title, console.width):
        console.print(table)
    console.print(NOTE, style="dim")
    for path in written:
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    for name, why in failed.items():
        print(f"msbench: {name} failed: {why}; the others are on the board", file=sys.stderr)
    return FAILED if failed else 0


def _demo(options: argparse.Namespace) -> int:
    options.suite = Path("leaderboards/demo/suite.yaml")
    if not options.suite.exists():
        from importlib.resources import files

        from msbench.system.files import write_text

        options.suite.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.suite, files("msbench_leaderboards").joinpath("demo/suite.yaml").read_text("utf-8"))
    return _bench(options)
