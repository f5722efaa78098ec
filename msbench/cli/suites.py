"""The commands of suites on this machine: plan, bench, demo."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from msbench.cli.adding import Adder, add_jobs, add_yes
from msbench.cli.board_warnings import board_warnings
from msbench.system.exit_codes import DONE, FAILED


def add(command: Adder) -> None:
    """Add the commands."""
    plan = command("plan", _plan, "the cells of a suite: how far they are, their size, memory, steps and hours")
    plan.add_argument("suite", type=Path)
    plan.add_argument("--json", action="store_true")
    plan.add_argument("--measure", action="store_true", help="train some steps where no run tells their cost yet")
    add_yes(plan)

    bench = command("bench", _bench, "run every missing cell of a suite here, then print and write its board")
    bench.add_argument("suite", type=Path)
    add_jobs(bench)
    add_yes(bench)

    demo = command("demo", _demo, "the main job in minutes, without a download: leaderboards/demo")
    add_jobs(demo)


def _plan(options: argparse.Namespace) -> int:
    from rich.console import Console

    from msbench.cluster.plan import missing_cells
    from msbench.cluster.settings import check_settings
    from msbench.planning import forecast_table
    from msbench.planning.forecast import forecast
    from msbench.runs.suite import read_suite
    from msbench.system.errors import located

    suite = read_suite(options.suite, options.yes)
    with located(str(suite.path)):
        check_settings(missing_cells(suite))
    cells = forecast(suite, options.measure, say=lambda text: print(f"msbench: {text}", file=sys.stderr))
    if options.json:
        print(forecast_table.as_json(suite, cells))
    else:
        console = Console() if sys.stdout.isatty() else Console(width=160)
        console.print(forecast_table.table(cells))
    return DONE


def _bench(options: argparse.Namespace) -> int:
    return _run(options.suite, options.jobs, options.yes)


def _demo(options: argparse.Namespace) -> int:
    from msbench.benchmarking import demo_suite

    return _run(demo_suite(), options.jobs)


def _run(suite: Path, jobs: int | None, yes: bool = False) -> int:
    from rich.console import Console

    from msbench.benchmarking import bench
    from msbench.leaderboard.render import SHORT_NOTE, terminal

    console = Console() if sys.stdout.isatty() else Console(width=120)
    with board_warnings():
        benched = bench(suite, jobs=jobs, console=console, yes=yes)
    for table in terminal(benched.board.table(), benched.board.title, console.width):
        console.print(table)
    console.print(SHORT_NOTE, style="dim")
    for results in benched.board.study_results:
        from msbench.leaderboard.study_render import terminal as study_tables

        for table in study_tables(results, console.width):
            console.print(table)
    for path in benched.written:
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    for name, why in benched.failed.items():
        print(f"msbench: {name} failed: {why}; the others are on the board", file=sys.stderr)
    return FAILED if benched.failed else DONE
