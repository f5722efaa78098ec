"""The local executor: the cells of a suite side by side in processes of their own, watched in one table."""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.context import ForkServerProcess
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from msbench.data.dataset import open_dataset
from msbench.records import read
from msbench.run_state import read_state
from msbench.suite import Cell, Suite
from msbench.threads import THREAD_VARIABLES

POLL_SECONDS = 0.5


def missing_cells(suite: Suite) -> list[Cell]:
    """The cells without a record that can be read."""
    missing = []
    for cell in suite.cells:
        try:
            read(suite.record_path(cell))
        except (OSError, ValueError):
            missing.append(cell)
    return missing


def prepare_data(suite: Suite, console: Console) -> None:
    """Open every dataset of a suite once, before its cells start: what is made or missing is made or said here.

    Raises:
        FileNotFoundError: If a dataset's folder is missing.
        ValueError: If a file of it is broken.
    """
    for name, root in dict.fromkeys((cell.dataset, cell.root) for cell in suite.cells):
        with console.status(f"opening dataset {name}"):
            data = open_dataset(name, root)
            counts = ", ".join(f"{len(data.tracks(split))} {split}" for split in data.splits)
        console.print(f"dataset {name}: {counts} ({data.root})", markup=False, highlight=False, soft_wrap=True)


def run_cells(suite: Suite, cells: list[Cell], jobs: int, console: Console) -> dict[str, str]:
    """Run cells, `jobs` at a time, each with its share of the processors; one that fails stops no other.

    Training cells come first: they take longest.

    Returns:
        {cell name: why it failed}, empty where all went well.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)  # read when the numeric libraries load, in the server below
    context = multiprocessing.get_context("forkserver")
    # Imported once, before any fork: a cell then starts in milliseconds instead of ten seconds.
    trains = any(cell.recipe for cell in cells)
    context.set_forkserver_preload(["msbench.cluster.cell", *(["msbench.training.cli"] if trains else [])])
    waiting = sorted(cells, key=lambda cell: cell.recipe is None)
    running: dict[str, ForkServerProcess] = {}
    states: dict[str, dict[str, Any]] = {cell.name: {"stage": "waiting"} for cell in waiting}
    failed: dict[str, str] = {}
    by_name = {cell.name: cell for cell in waiting}
    started = time.monotonic()
    watch = _Watch(console, by_name, jobs)
    try:
        with watch:
            while waiting or running:
                while waiting and len(running) < jobs:
                    cell = waiting.pop(0)
                    process = context.Process(target=_entry, args=(suite, cell, threads), name=cell.name)
                    process.start()
                    running[cell.name] = process
                    states[cell.name] = {"stage": "starting", "started": time.monotonic()}
                time.sleep(POLL_SECONDS)
                for name, process in list(running.items()):
                    cell = by_name[name]
                    seen = read_state(suite.run_folder(cell))
                    begun = states[name]["started"]
                    if seen.get("time", 0) > time.time() - (time.monotonic() - begun):  # not from an earlier run
                        states[name] = {**seen, "started": begun}
                    if process.exitcode is not None:
                        del running[name]
                        states[name]["ended"] = time.monotonic()
                        if process.exitcode != 0:
                            failed[name] = _cause(process.exitcode, states[name], suite, cell)
                            states[name] |= {"stage": "failed", "error": failed[name]}
                        else:
                            states[name]["stage"] = "done"
                watch.show(states, time.monotonic() - started)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.join(10)
    return failed


def _entry(suite: Suite, cell: Cell, threads: int) -> None:
    from msbench.cluster.cell import run_cell

    run_cell(suite, cell, threads)


def _cause(code: int, state: dict[str, Any], suite: Suite, cell: Cell) -> str:
    if code < 0:
        note = " (out of memory?)" if code == -9 else ""
        return f"killed by signal {-code}{note}; see {suite.run_folder(cell) / 'log.txt'}"
    return str(state.get("error") or f"exit code {code}; see {suite.run_folder(cell) / 'log.txt'}")


class _Watch:
    """A live table on a terminal; elsewhere a line at each change."""

    def __init__(self, console: Console, cells: dict[str, Cell], jobs: int) -> None:
        self.console, self.cells, self.jobs = console, cells, jobs
        self.live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self.told: dict[str, str] = {}

    def __enter__(self) -> _Watch:
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
