"""Private names of Lightning and torch: they are there, do what is expected, and are missed in one sentence."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, TensorDataset

from msbench.system.internals import begin_next_epoch, end_workers, leave_signals_alone


def test_lightning_leaves_signals_alone() -> None:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_steps=1)
    leave_signals_alone(trainer)
    before = signal.getsignal(signal.SIGTERM)
    trainer._signal_connector.register_signal_handlers()  # as every fit does
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_restored_loop_begins_the_next_epoch() -> None:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_steps=1)
    loop = trainer.fit_loop
    loop.restarting = False
    assert loop.restarting  # by Lightning's own setter, as max_steps is set
    begin_next_epoch(loop)
    assert not loop.restarting


def test_workers_end() -> None:
    iterator: Any = iter(DataLoader(TensorDataset(torch.zeros(8, 1)), num_workers=1))
    next(iterator)
    workers = iterator._workers
    end_workers(iterator)
    assert not any(worker.is_alive() for worker in workers)
    end_workers(iter(DataLoader(TensorDataset(torch.zeros(8, 1)))))  # has none
    end_workers(None)


def test_a_name_that_is_gone_is_one_sentence() -> None:
    with pytest.raises(RuntimeError, match=r"SimpleNamespace has no _signal_connector: msbench was checked with Light"):
        leave_signals_alone(SimpleNamespace())
    with pytest.raises(RuntimeError, match="has no restarting: msbench was checked with Lightning"):
        begin_next_epoch(SimpleNamespace())
