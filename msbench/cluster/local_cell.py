"""One cell on this machine: its process, the GPUs that it holds, what it last said and how it ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from msbench.runs.interruption import SIGNALS, interrupt_on_signals
from msbench.runs.state import read_state
from msbench.runs.suite import Cell, Suite
from msbench.system.exit_codes import DONE, SAVED
from msbench.system.files import appending
from msbench.system.safe_path import safe_path

RESTARTS = 3  # of a cell that saved itself because somebody asked its process to end


class LocalCell:
    """A cell that waits, runs or has ended.

    Args:
        suite: The suite.
        cell: The cell.
        gpu_count: How many GPUs it needs.
    """

    def __init__(self, suite: Suite, cell: Cell, gpu_count: int) -> None:
        self.suite, self.cell, self.gpu_count = suite, cell, gpu_count
        self.gpus: list[str] = []  # that it holds now
        self.stage = "waiting"
        self.failure: str | None = None
        self.process: ForkServerProcess | None = None
        self._state: dict[str, Any] = {}  # that this process of it has written
        self._restarts = 0
        self._started: float | None = None
        self._ended: float | None = None

    @property
    def part_done(self) -> float:
        return 1.0 if self.stage == "done" else self._state.get("done") or 0.0

    @property
    def metrics(self) -> dict[str, float]:
        return self._state.get("metrics") or {}

    @property
    def seconds(self) -> float | None:
        """Since its last start, until now or its end; None before it."""
        return None if self._started is None else (self._ended or time.monotonic()) - self._started

    def start(self, context: ForkServerContext, threads: int, gpus: list[str]) -> None:
        """Start its process, which has some threads and these GPUs for its own."""
        self.gpus, self.stage, self._state = gpus, "starting", {}
        arguments = (self.suite, self.cell, threads, gpus, dict(os.environ))
        self.process = context.Process(target=_run, args=arguments, name=self.cell.name)
        self.process.start()
        self._started = time.monotonic()

    def look(self) -> bool:
        """Take in what its process does; returns whether that has ended."""
        assert self.process is not None, "started before"
        ended = self.process.exitcode is not None  # asked first: what it wrote last is read below
        state = read_state(self.suite.run_folder(self.cell))
        if state.get("time", 0) > time.time() - (self.seconds or 0):  # not of an earlier run
            self._state, self.stage = state, state["stage"]
        return ended

    def settle(self) -> bool:
        """Give back the GPUs of the process that has ended, and judge its end.

        Returns:
            Whether the cell is to be started again: its process was asked to end, not the executor.
        """
        assert self.process is not None, "started before"
        code = self.process.exitcode
        self.gpus = []
        if code == SAVED and self._restarts < RESTARTS:
            self._restarts += 1
            self.stage, self._state, self._started = "waiting", {}, None
            return True
        self._ended = time.monotonic()
        self.stage = "done" if code == DONE else "failed"
        self.failure = None if code == DONE else self._cause(code)
        return False

    def _cause(self, code: int | None) -> str:
        log = self.suite.run_folder(self.cell) / "log.txt"
        if code is not None and code < 0:
            note = " (out of memory?)" if code == -signal.SIGKILL else ""
            return f"killed by signal {-code}{note}; see {log}"
        return str(self._state.get("error") or f"exit code {code}; see {log}")


def _run(suite: Suite, cell: Cell, threads: int, gpus: list[str], environment: dict[str, str]) -> None:
    """Both stages of a cell, in a process forked for it; its output goes to log.txt in the run's folder."""
    os.environ.clear()  # what the fork server has may be of an earlier suite: MSBENCH_PLUGINS for one
    os.environ.update(environment)

    import logging

    import torch

    from msbench.cluster.cell import run_stage

    threading.Thread(target=_end_with_the_executor, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the executor too, which passes it on as SIGTERM
    interrupt_on_signals()
    folder = suite.run_folder(cell)
    folder.mkdir(parents=True, exist_ok=True)
    with appending(folder / "log.txt") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
        logging.captureWarnings(True)
        if gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        torch.set_num_threads(threads)
        code = DONE
        if cell.recipe is not None:
            code = run_stage(suite, cell, "train") if len(gpus) < 2 else _train_on_several(suite, cell, len(gpus))
        sys.exit(code or run_stage(suite, cell, "evaluate"))


def _end_with_the_executor() -> None:
    """Save and end where the executor was killed without a chance to ask for it."""
    executor = multiprocessing.parent_process()
    assert executor is not None, "called in its child"
    wait([executor.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _train_on_several(suite: Suite, cell: Cell, devices: int) -> int:
    """Lightning starts the other ranks as this command again, so it has to be one."""
    command = [sys.executable, "-P", "-m", "msbench.cluster.cell", "--stage", "train", "--devices", str(devices)]
    with safe_path():  # for the ranks, too, that Lightning starts in it
        process = subprocess.Popen([*command, "--", str(suite.path), cell.name])
    for number in SIGNALS:
        signal.signal(number, lambda number, _: process.send_signal(number))
    return process.wait()
