"""Shows the status of a submitted suite: as a table, as JSON, or as the ends of its logs."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from msbench.cluster.status import BUSY, STATES, CellStatus
from msbench.system.bounded import read_tail
from msbench.system.errors import one_line
from msbench.system.wording import counted

STYLES = {"done": "green", "running": "cyan", "failed": "red", "lost": "red", "cancelled": "yellow"}
MOST_ROWS = 200
WATCH_SECONDS = 5.0
LONGEST_LOG = 2**20  # bytes of a log's end


def as_json(statuses: list[CellStatus]) -> str:
    """Every cell, and how many there are in each state; a metric that is not finite is null."""
    cells = [asdict(each) for each in statuses]
    for cell in cells:
        cell["metrics"] = {name: value if _is_finite(value) else None for name, value in cell["metrics"].items()}
    return json.dumps({"counts": counts(statuses), "cells": cells}, indent=1)


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def counts(statuses: list[CellStatus]) -> dict[str, int]:
    found = Counter(each.state for each in statuses)
    return {state: found[state] for state in STATES if found[state]}


def table(statuses: list[CellStatus]) -> Group:
    """One row per cell, those that want attention first, cut where the suite is long; then a line of counts."""
    order = {state: rank for rank, state in enumerate(("failed", "lost", "cancelled", "running", "pending"))}
    rows = sorted(statuses, key=lambda each: order.get(each.state, len(order)))
    shown = Table("cell", "state", "stage", "job", "node", "", box=None, pad_edge=False)
    for each in rows[:MOST_ROWS]:
        job = "_".join(map(str, each.elements[-1 if each.stage == "evaluate" else 0])) if each.elements else ""
        shown.add_row(
            Text(each.name),  # a label may look like markup
            Text(each.state, style=STYLES.get(each.state, "")),
            Text(one_line(each.stage) if each.state != "done" else ""),
            job,
            Text(each.node),
            Text(one_line(_note(each))),
        )
    summary = ", ".join(f"{count} {state}" for state, count in counts(statuses).items())
    more = f" (the first {MOST_ROWS} are shown; --json has all)" if len(rows) > MOST_ROWS else ""
    return Group(shown, Text(f"{counted(len(rows), 'cell')}: {summary}{more}"))


def watch(look: Callable[[], list[CellStatus]], console: Console) -> list[CellStatus]:
    """Show the table until nothing is under way."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            statuses = look()
            live.update(table(statuses), refresh=True)
            if not any(each.state in BUSY for each in statuses):
                return statuses
            time.sleep(WATCH_SECONDS)


def log(status: CellStatus, lines: int) -> str:
    """Where a cell's logs are, of its training and its evaluation, and their ends."""
    found = [one_line(f"{status.name}: {status.state}{f': {status.cause}' if status.cause else ''}")]
    for path in map(Path, status.logs):
        if path.is_file():
            found += [str(path), *map(one_line, read_tail(path, LONGEST_LOG).splitlines()[-lines:])]
    return "\n".join(found if len(found) > 1 else [*found, "(no log yet)"])


def _note(status: CellStatus) -> str:
    if status.cause:
        return status.cause
    parts = [] if status.part_done is None or status.state != "running" else [f"{status.part_done:.0%}"]
    parts += [f"{name} {value:.3g}" for name, value in status.metrics.items() if isinstance(value, int | float)][:3]
    parts += [f"restarts: {status.restarts}"] if status.restarts else []
    return "  ".join(parts)
