"""The commands that speak to a cluster: submit, status, logs, cancel, retry."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msbench.cli.adding import Adder, add_yes

if TYPE_CHECKING:
    from msbench.cluster.status import CellStatus


def add(command: Adder) -> None:
    """Add the commands."""
    submit = command("submit", _submit, "train, evaluate and aggregate a suite on a SLURM cluster")
    submit.add_argument("suite", type=Path)
    submit.add_argument("--cluster", type=Path, required=True, metavar="PROFILE", help="slurm/clusters/example.yaml")
    submit.add_argument("--dry-run", action="store_true", help="write the scripts and let sbatch check them")
    add_yes(submit)

    status = command("status", _status, "what the cells of a submitted suite are doing, or why they failed")
    status.add_argument("suite", type=Path)
    status.add_argument("--json", action="store_true")
    status.add_argument("--watch", action="store_true", help="until nothing is under way")

    logs = command("logs", _logs, "the end of the logs: of cells whose names hold a text, or of those that failed")
    logs.add_argument("suite", type=Path)
    logs.add_argument("cells", nargs="*")
    logs.add_argument("--lines", type=int, default=20, help="of each (20)")

    cancel = command("cancel", _cancel, "cancel what is under way, or some cells of it")
    cancel.add_argument("suite", type=Path)
    cancel.add_argument("cells", nargs="*")

    retry = command("retry", _retry, "submit again what nodes, limits and signals broke, never what the code did")
    retry.add_argument("suite", type=Path)
    retry.add_argument("--failed", action="store_true", required=True)


def _submit(options: argparse.Namespace) -> int:
    from msbench.cluster.profile import read_profile
    from msbench.cluster.submit import submit
    from msbench.runs.suite import read_suite

    suite = read_suite(options.suite, options.yes)
    submit(suite, read_profile(options.cluster), dry_run=options.dry_run)
    if not options.dry_run:
        print(f"next: msbench status {options.suite} --watch")
    return 0


def _statuses(path: Path) -> list[CellStatus]:
    from msbench.cluster.journal import SbatchJournal
    from msbench.cluster.status import statuses_of
    from msbench.runs.suite import read_suite

    suite = read_suite(path)
    journal = SbatchJournal.of(suite)
    journal.recover()
    return statuses_of(suite, journal)


def _status(options: argparse.Namespace) -> int:
    from rich.console import Console

    from msbench.cluster import status_table

    console = Console() if sys.stdout.isatty() else Console(width=200)
    if options.watch:
        status_table.watch(lambda: _statuses(options.suite), console)
    elif options.json:
        print(status_table.as_json(_statuses(options.suite)))
    else:
        console.print(status_table.table(_statuses(options.suite)))
    return 0


def _logs(options: argparse.Namespace) -> int:
    from msbench.cluster import status_table

    if options.lines < 1:
        raise ValueError(f"--lines must be at least 1, not {options.lines}")
    statuses = _statuses(options.suite)
    if options.cells:
        chosen = [each for each in statuses if any(text in each.name for text in options.cells)]
        if not chosen:
            raise ValueError(f"no cell of {options.suite} is named like {', '.join(options.cells)}")
    else:
        chosen = [each for each in statuses if each.state in ("failed", "lost", "cancelled")]
    print(
        "\n\n".join(status_table.log(each, options.lines) for each in chosen)
        or "no cell failed; name one to see its log"
    )
    return 0


def _cancel(options: argparse.Namespace) -> int:
    from msbench.cluster.submit import cancel
    from msbench.runs.suite import read_suite

    targets = cancel(read_suite(options.suite), options.cells)
    print(f"cancelled: {' '.join(targets)}" if targets else "nothing is under way")
    return 0


def _retry(options: argparse.Namespace) -> int:
    from msbench.cluster.submit import retry
    from msbench.runs.suite import read_suite

    retry(read_suite(options.suite))
    return 0
