"""The end that a signal asks of a run: SLURM before it takes a job away, or whoever started the process."""

from __future__ import annotations

import signal
from types import FrameType

from msbench.system.exit_codes import INTERRUPTED, SAVED

SIGNALS = (signal.SIGUSR2, signal.SIGTERM)  # SLURM's before the time limit; preemption's


class RunInterrupted(BaseException):
    """A signal asked the run to end; the same command goes on from what it has kept.

    It is no Exception, as KeyboardInterrupt is none: a handler raises it within any library's code, where
    `except Exception` must not take it for a fault.

    Attributes:
        exit_code: Of the process: SAVED, or INTERRUPTED where it was Ctrl-C.
    """

    def __init__(self, sentence: str, number: int | None = None) -> None:
        super().__init__(sentence)
        self.exit_code = INTERRUPTED if number == signal.SIGINT else SAVED


def interrupt_on_signals() -> None:
    """From now on each of SIGNALS raises RunInterrupted, wherever the process is: right where nothing must be saved."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise RunInterrupted(f"{signal.Signals(number).name} came: the same command goes on from here", number)
