"""The local executor: the cells of a suite side by side in processes of their own, watched in one table."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from msbench.cluster.local_watch import Watch
from msbench.data.opening import open_dataset
from msbench.runs.resources import Resources
from msbench.runs.state import read_state
from msbench.runs.suite import Cell, Suite
from msbench.system.exit_codes import SAVED
from msbench.system.threads import THREAD_VARIABLES, processors

POLL_SECONDS = 0.5
RESTARTS = 3  # of a cell that was told to save and end
SAVING_SECONDS = 60  # for what runs to save, when the executor is told to end


def prepare_data(suite: Suite, console: Console) -> None:
    """Open every dataset of a suite once, before its cells start: what is made or missing is made or said here.

    Raises:
        FileNotFoundError: If a dataset's folder is missing.
        ValueError: If a file of it is broken.
    """
    for name, root in dict.fromkeys((cell.dataset, cell.root) for cell in suite.cells):
        with console.status(f"opening dataset {name}"):
            data = open_dataset(name, root)
            for split in {cell.split for cell in suite.cells if cell.dataset == name}:
                data.tracks(split)  # that are scored: one that is not there is told now, and not after the training
            counts = ", ".join(f"{len(data.tracks(split))} {split}" for split in data.splits)
        console.print(f"dataset {name}: {counts} ({data.root})", markup=False, highlight=False, soft_wrap=True)


def visible_gpus() -> list[str]:
    """Ids of this machine's NVIDIA GPUs, as far as CUDA_VISIBLE_DEVICES shows them; torch is not needed."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return [gpu.strip() for gpu in shown.split(",") if gpu.strip() and gpu.strip() != "-1"]
    found = Path("/proc/driver/nvidia/gpus")
    return [str(i) for i in range(len(list(found.iterdir())))] if found.is_dir() else []


def run_cells(suite: Suite, cells: list[Cell], jobs: int, console: Console) -> dict[str, str]:
    """Run cells, `jobs` at a time, each with its share of the processors and GPUs of its own; one that fails stops no
    other. Told to end (Ctrl-C, SIGTERM), it lets those that run save themselves first.

    Training cells come first: they take longest.

    Returns:
        {cell name: why it failed}, empty where all went well.

    Raises:
        ValueError: If a cell asks for more GPUs than there are.
    """
    free = visible_gpus()
    needs = {cell.name: Resources().but(cell.resources).gpus if free else 0 for cell in cells}
    for name, count in needs.items():
        if count > len(free):
            raise ValueError(
                f"{name} asks for {count} GPUs and this machine has {len(free)}: submit the suite to a cluster, or "
                "lower the `resources` in it"
            )
    threads = max(1, processors() // jobs)
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)  # read when the numeric libraries load, in the server below
    context = multiprocessing.get_context("forkserver")
    # Imported once, before any fork: a cell then starts in milliseconds instead of ten seconds.
    trains = any(cell.recipe for cell in cells)
    preload = ["msbench.cluster.cell", "msbench.evaluation.run", *(["msbench.training.fit"] if trains else [])]
    context.set_forkserver_preload(preload)
    waiting = sorted(cells, key=lambda cell: cell.recipe is None)
    running: dict[str, tuple[ForkServerProcess, list[str]]] = {}
    states: dict[str, dict[str, Any]] = {cell.name: {"stage": "waiting"} for cell in waiting}
    restarts = dict.fromkeys(states, 0)
    failed: dict[str, str] = {}
    by_name = {cell.name: cell for cell in waiting}
    started = time.monotonic()
    watch = Watch(console, by_name, jobs)
    with watch, _ended_in_time(running):
        while waiting or running:
            while waiting and len(running) < jobs and needs[waiting[0].name] <= len(free):
                cell = waiting.pop(0)
                taken = [free.pop(0) for _ in range(needs[cell.name])]
                process = context.Process(target=_entry, args=(suite, cell, threads, taken), name=cell.name)
                process.start()
                running[cell.name] = process, taken
                states[cell.name] = {"stage": "starting", "started": time.monotonic()}
            time.sleep(POLL_SECONDS)
            for name, (process, taken) in list(running.items()):
                cell = by_name[name]
                seen = read_state(suite.run_folder(cell))
                begun = states[name]["started"]
                if seen.get("time", 0) > time.time() - (time.monotonic() - begun):  # not from an earlier run
                    states[name] = {**seen, "started": begun}
                if process.exitcode is None:
                    continue
                del running[name]
                free += taken
                if process.exitcode == SAVED and restarts[name] < RESTARTS:
                    restarts[name] += 1
                    waiting.insert(0, cell)
                    states[name] = {"stage": "waiting"}
                    continue
                states[name]["ended"] = time.monotonic()
                if process.exitcode != 0:
                    failed[name] = _cause(process.exitcode, states[name], suite, cell)
                    states[name] |= {"stage": "failed", "error": failed[name]}
                else:
                    states[name]["stage"] = "done"
            watch.show(states, time.monotonic() - started)
    return failed


@contextmanager
def _ended_in_time(running: dict[str, tuple[ForkServerProcess, list[str]]]) -> Iterator[None]:
    """However this ends, what still runs is told to save and end, and killed if it does not."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        processes = [process for process, _ in running.values()]
        for process in processes:
            process.terminate()
        end = time.monotonic() + SAVING_SECONDS
        for process in processes:
            process.join(max(0.0, end - time.monotonic()))
            process.kill()
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _entry(suite: Suite, cell: Cell, threads: int, gpus: list[str]) -> None:
    """Both stages of a cell, in a process forked for it; its output goes to log.txt in the run's folder."""
    import logging

    import torch

    from msbench.cluster.cell import run_stage, tell

    threading.Thread(target=_end_with_the_executor, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the executor too, which tells us
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, tell)
    folder = suite.run_folder(cell)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a", buffering=1) as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
        logging.captureWarnings(True)
        if gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        torch.set_num_threads(threads)
        code = 0
        if cell.recipe is not None:
            code = run_stage(suite, cell, "train") if len(gpus) < 2 else _train_on_several(suite, cell, len(gpus))
        sys.exit(code or run_stage(suite, cell, "evaluate"))


def _end_with_the_executor() -> None:
    """Where it is killed without a word, save and end."""
    executor = multiprocessing.parent_process()
    assert executor is not None, "called in its child"
    wait([executor.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _train_on_several(suite: Suite, cell: Cell, devices: int) -> int:
    """Lightning starts the other ranks as this command again, so it has to be one."""
    command = [sys.executable, "-m", "msbench.cluster.cell", str(suite.path), cell.name, "--stage", "train"]
    process = subprocess.Popen([*command, "--devices", str(devices)])
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, lambda number, _: process.send_signal(number))
    return process.wait()


def _cause(code: int, state: dict[str, Any], suite: Suite, cell: Cell) -> str:
    if code < 0:
        note = " (out of memory?)" if code == -9 else ""
        return f"killed by signal {-code}{note}; see {suite.run_folder(cell) / 'log.txt'}"
    return str(state.get("error") or f"exit code {code}; see {suite.run_folder(cell) / 'log.txt'}")
