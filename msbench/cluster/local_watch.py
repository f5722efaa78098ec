"""Watching the cells that run here: a live table on a terminal, a line at each change elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from msbench.runs.suite import Cell


class Watch:
    """A live table on a terminal; elsewhere a line at each change."""

    def __init__(self, console: Console, cells: dict[str, Cell], jobs: int) -> None:
        self.console, self.cells, self.jobs = console, cells, jobs
        self.live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self.told: dict[str, str] = {}

    def __enter__(self) -> Watch:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def show(self, states: dict[str, dict[str, Any]], seconds: float) -> None:
        if self.live:
            self.live.update(Group(self._table(states), Text(f"{seconds:.0f} s, {self.jobs} at a time", style="dim")))
            return
        for name, state in states.items():
            stage = state["stage"]
            if stage not in ("waiting", "starting") and self.told.get(name) != stage:
                self.told[name] = stage
                text = f"[{seconds:6.1f} s] {self.cells[name].label}: {stage} {_summary(state)}"
                self.console.print(text.rstrip(), markup=False, highlight=False, soft_wrap=True)

    def _table(self, states: dict[str, dict[str, Any]]) -> Table:
        table = Table("cell", "stage", "", "time", "", box=None, pad_edge=False)
        for name, state in states.items():
            cell = self.cells[name]
            label = cell.label if cell.seed is None else f"{cell.label}, seed {cell.seed}"
            done = 1.0 if state["stage"] == "done" else state.get("done") or 0.0
            took = state.get("ended", time.monotonic()) - state["started"] if "started" in state else None
            colour = {"failed": "red", "done": "green", "waiting": "dim"}.get(state["stage"], "")
            table.add_row(
                f"{label} on {cell.dataset}", Text(state["stage"], style=colour), ProgressBar(1, done, width=24),
                "" if took is None else f"{took:.0f} s", Text(_summary(state)),
            )  # fmt: skip
        return table


def _summary(state: dict[str, Any]) -> str:
    if state["stage"] == "failed":
        return str(state.get("error", ""))
    metrics = state.get("metrics") or {}
    if state["stage"] == "evaluating":
        return "SDR " + " ".join(f"{k} {v:.1f}" for k, v in metrics.items()) if metrics else ""
    return " ".join(f"{k} {metrics[k]:.4g}" for k in ("val_loss", "val_sdr") if k in metrics)
