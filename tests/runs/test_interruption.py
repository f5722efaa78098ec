"""The signals that ask a run to end."""

from __future__ import annotations

import os
import signal

import pytest

from msbench.runs.interruption import SIGNALS, RunInterrupted, interrupt_on_signals


def end_within_a_library(number: int) -> None:
    try:
        os.kill(os.getpid(), number)
    except Exception:
        pytest.fail("taken for a fault")


def test_no_library_takes_the_end_of_a_run_for_a_fault() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        interrupt_on_signals()
        for number in SIGNALS:
            with pytest.raises(RunInterrupted, match=f"{signal.Signals(number).name} came: the same command goes on"):
                end_within_a_library(number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
