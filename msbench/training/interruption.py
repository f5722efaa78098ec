"""A run that is taken away saves itself first, and every few minutes in case it is killed without a word."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import distributed

from msbench.runs.interruption import SIGNALS, RunInterrupted
from msbench.system.files import replacing

_asked: list[int] = []  # signals that have come


def _note(number: int, frame: FrameType | None) -> None:
    # No more than a note: saving here could meet a half-made step, or the other ranks in a collective.
    _asked.append(number)


class SaveInTime(Callback):
    """Saves `last.ckpt` when a signal asks for it, then ends the run; and every `minutes`, of training.

    All ranks agree at the end of a step: what one is asked, all do. Between the steps whose gradients are accumulated,
    and after an epoch's last step, nothing is saved: there a run could not go on exactly. In validation a signal ends
    the run at once, which goes on from its last checkpoint.

    Args:
        path: Of the checkpoint.
        minutes: Between two.
    """

    def __init__(self, path: Path, minutes: float) -> None:
        self.path = path
        self.seconds = 60 * minutes
        self._saved = time.monotonic()
        self._handlers: dict[int, Any] = {}  # those before ours

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if threading.current_thread() is threading.main_thread():
            _asked.clear()
            self._handlers = {number: signal.signal(number, _note) for number in SIGNALS}

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.teardown(trainer, pl_module, "fit")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        asked, due = self._agreed(trainer, bool(_asked), time.monotonic() - self._saved > self.seconds)
        accumulating = (batch_idx + 1) % trainer.accumulate_grad_batches != 0
        if not (asked or due) or accumulating or trainer.is_last_batch:
            return
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()
        if asked:
            raise RunInterrupted(
                f"saved {self.path} in epoch {trainer.current_epoch}, step {trainer.global_step}, as a signal asked: "
                "the same command goes on from here"
            )

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        if self._agreed(trainer, bool(_asked), False)[0]:
            raise RunInterrupted("a signal came in validation: the same command goes on from the last checkpoint")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved = time.monotonic()  # ModelCheckpoint has saved, or is about to

    def _agreed(self, trainer: Trainer, *wishes: bool) -> list[bool]:
        """Which of these wishes any rank has."""
        if trainer.world_size == 1:
            return list(wishes)
        together = torch.tensor(wishes, dtype=torch.int, device=trainer.strategy.root_device)
        distributed.all_reduce(together, distributed.ReduceOp.MAX)
        return together.bool().tolist()


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint under a temporary name, then renames: a kill leaves the earlier one whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())  # renamed before it is on the disk, it could be empty after a power cut
