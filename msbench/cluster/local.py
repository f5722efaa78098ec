"""The local executor: the cells of a suite side by side in processes of their own, watched in one table."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from msbench.cluster.local_cell import LocalCell
from msbench.cluster.local_table import LocalTable
from msbench.data.opening import open_dataset
from msbench.runs.resources import Resources
from msbench.runs.suite import Cell, Suite
from msbench.system.safe_path import safe_path
from msbench.system.threads import limited_threads, processors

POLL_SECONDS = 0.5
SAVING_SECONDS = 60  # for what runs to save, when the executor is asked to end
# Imported once, before any fork: a cell then starts in milliseconds instead of ten seconds. The fork server keeps quiet
# about a name that does not import, so a test imports them.
PRELOADED = ("msbench.cluster.local_cell", "msbench.cluster.cell", "msbench.evaluation.run")
PRELOADED_TO_TRAIN = ("msbench.training.fit",)


def prepare_data(suite: Suite, console: Console) -> None:
    """Open every dataset of a suite once, before its cells start: what is made or missing is made or said here.

    Raises:
        FileNotFoundError: If a dataset's folder is missing.
        ValueError: If a file of it is broken, or it has no such split as the suite scores.
    """
    for name, root in dict.fromkeys((cell.dataset, cell.root) for cell in suite.cells):
        with console.status(f"opening dataset {name}"):
            data = open_dataset(name, root)
            counts = {split: len(data.tracks(split)) for split in data.splits}
            for split in {cell.split for cell in suite.cells if cell.dataset == name} - counts.keys():
                data.tracks(split)  # raises now, and not after the training
        found = ", ".join(f"{count} {split}" for split, count in counts.items())
        console.print(f"dataset {name}: {found} ({data.root})", markup=False, highlight=False, soft_wrap=True)


def visible_gpus() -> list[str]:
    """Ids of this machine's NVIDIA GPUs, as far as CUDA_VISIBLE_DEVICES shows them; torch is not needed."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return [gpu.strip() for gpu in shown.split(",") if gpu.strip() and gpu.strip() != "-1"]
    found = Path("/proc/driver/nvidia/gpus")
    return [str(i) for i in range(len(list(found.iterdir())))] if found.is_dir() else []


def run_cells(suite: Suite, cells: Sequence[Cell], jobs: int, console: Console) -> dict[str, str]:
    """Run cells, `jobs` at a time, each with its share of the processors and GPUs of its own; one that fails stops no
    other. Asked to end (Ctrl-C, SIGTERM), it lets those that run save themselves first.

    Training cells come first: they take longest.

    Returns:
        {cell name: why it failed}, empty where all went well.

    Raises:
        ValueError: If a cell asks for more GPUs than there are, or there are links in its run's folder.
    """
    for cell in cells:
        suite.refuse_links(cell)
    free = visible_gpus()
    waiting = [LocalCell(suite, cell, _gpus_of(cell, len(free))) for cell in sorted(cells, key=_comes_later)]
    known, running = list(waiting), list[LocalCell]()
    threads = max(1, processors() // jobs)
    context = multiprocessing.get_context("forkserver")
    trains = any(cell.recipe for cell in cells)
    context.set_forkserver_preload([*PRELOADED, *(PRELOADED_TO_TRAIN if trains else ())])
    started = time.monotonic()
    # The numeric libraries read the limit as they load, in the fork server.
    with safe_path(), limited_threads(threads), LocalTable(console, jobs) as table, _ended_in_time(running):
        while waiting or running:
            while waiting and len(running) < jobs and waiting[0].gpu_count <= len(free):
                each = waiting.pop(0)
                each.start(context, threads, [free.pop(0) for _ in range(each.gpu_count)])
                running.append(each)
            time.sleep(POLL_SECONDS)
            for each in [each for each in running if each.look()]:
                running.remove(each)
                free += each.gpus
                if each.settle():
                    waiting.insert(0, each)
            table.show(known, time.monotonic() - started)
    return {each.cell.name: each.failure for each in known if each.failure is not None}


def _comes_later(cell: Cell) -> bool:
    return cell.recipe is None


def _gpus_of(cell: Cell, there: int) -> int:
    """How many GPUs a cell takes here: none on a machine without any."""
    wanted = Resources().but(cell.resources).gpus if there else 0
    if wanted > there:
        raise ValueError(
            f"{cell.name} asks for {wanted} GPUs and this machine has {there}: submit the suite to a cluster, or lower "
            "the `resources` in it"
        )
    return wanted


@contextmanager
def _ended_in_time(running: list[LocalCell]) -> Iterator[None]:
    """However this ends, what still runs is asked to save and end, and killed if it does not."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        processes = [each.process for each in running if each.process is not None]
        for process in processes:
            process.terminate()
        end = time.monotonic() + SAVING_SECONDS
        for process in processes:
            process.join(max(0.0, end - time.monotonic()))
            process.kill()
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
