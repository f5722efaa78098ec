"""Shows the cells that run on this machine: a live table on a terminal, a line at each change elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from msbench.cluster.local_cell import LocalCell
from msbench.system.errors import one_line

STYLES = {"failed": "red", "done": "green", "waiting": "dim"}


class LocalTable:
    """A live table on a terminal; elsewhere a line at each change."""

    def __init__(self, console: Console, jobs: int) -> None:
        self.console, self.jobs = console, jobs
        self.live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._printed: dict[str, str] = {}  # {cell name: stage}

    def __enter__(self) -> LocalTable:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def show(self, cells: Sequence[LocalCell], seconds: float) -> None:
        """Show the cells as they are now, so many seconds after the start."""
        if self.live:
            self.live.update(Group(_table(cells), Text(f"{seconds:.0f} s, {self.jobs} at a time", style="dim")))
            return
        for each in cells:
            if each.stage not in ("waiting", "starting") and self._printed.get(each.cell.name) != each.stage:
                self._printed[each.cell.name] = each.stage
                said = one_line(f"{each.cell.label}: {each.stage} {_summary(each)}")
                self.console.print(f"[{seconds:6.1f} s] {said}", markup=False, highlight=False, soft_wrap=True)


def _table(cells: Sequence[LocalCell]) -> Table:
    table = Table("cell", "stage", "", "time", "", box=None, pad_edge=False)
    for each in cells:
        cell, seconds = each.cell, each.seconds
        label = cell.label if cell.seed is None else f"{cell.label}, seed {cell.seed}"
        table.add_row(
            Text(f"{label} on {cell.dataset}"),  # a label may look like markup
            Text(each.stage, style=STYLES.get(each.stage, "")),
            ProgressBar(1, each.part_done, width=24),
            "" if seconds is None else f"{seconds:.0f} s",
            Text(one_line(_summary(each))),
        )
    return table


def _summary(each: LocalCell) -> str:
    if each.failure is not None:
        return each.failure
    if each.stage == "evaluating":
        return "SDR " + " ".join(f"{k} {v:.1f}" for k, v in each.metrics.items()) if each.metrics else ""
    return " ".join(f"{k} {each.metrics[k]:.4g}" for k in ("val_loss", "val_sdr", "val_track_sdr") if k in each.metrics)
