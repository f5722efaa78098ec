"""A run that is taken away saves itself first, and every few minutes in case it is killed without a word."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO, Any, BinaryIO, cast

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import distributed

from msbench.runs.interruption import SIGNALS, RunInterrupted
from msbench.system.files import replacing

_asked: list[int] = []  # signals that have come


def _note(number: int, frame: FrameType | None) -> None:
    # No more than a note: saving here could meet a half-made step, or the other ranks in a collective.
    if number == signal.SIGINT:
        if number in _asked:
            raise KeyboardInterrupt
        os.write(2, b"\nmsbench: saving at the end of this step; Ctrl-C again ends at once\n")  # print() may be at work
    _asked.append(number)


class SaveInTime(Checkpoint):
    """Saves `last.ckpt` after each epoch, every `minutes` of training, and when a signal asks for it.

    SIGUSR2, SIGTERM and Ctrl-C then end the run; a second Ctrl-C ends it at once.

    All ranks agree at the end of a step: what one is asked, all do. Between the steps whose gradients are accumulated,
    and after an epoch's last step, nothing is saved until the epoch ends: there a run could not go on exactly. In
    validation a signal ends the run at once, which goes on from its last checkpoint.

    It is a Checkpoint for Lightning, which calls those last: what the others do at the end of a step (moving averages,
    the best score) belongs into what is saved.

    Args:
        path: Of the checkpoint; None where nothing is to be kept.
        minutes: Between two.
    """

    def __init__(self, path: Path | None, minutes: float) -> None:
        self.path = path
        self.seconds = 60 * minutes
        self._saved = time.monotonic()
        self._saved_step: int | None = None
        self._handlers: dict[int, Any] = {}  # those before ours

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if threading.current_thread() is threading.main_thread():
            _asked.clear()
            numbers = [*SIGNALS]
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored in the cells of a suite, and by nohup
                numbers.append(signal.SIGINT)
            self._handlers = {number: signal.signal(number, _note) for number in numbers}

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
        due = time.monotonic() - self._saved > self.seconds
        asked, by_hand, due = self._agreed(trainer, bool(_asked), signal.SIGINT in _asked, due)
        accumulating = (batch_idx + 1) % trainer.accumulate_grad_batches != 0
        if not (asked or due or _ends_here(trainer)) or accumulating or trainer.is_last_batch:
            return
        self._save(trainer)
        if not asked:
            return
        done = "nothing is saved" if self.path is None else f"saved {self.path}"
        how = "starts over" if self.path is None else "goes on from here"
        why = "Ctrl-C asked" if by_hand else "a signal asked"
        raise RunInterrupted(
            f"{done} in epoch {trainer.current_epoch}, step {trainer.global_step}, as {why}: the same command {how}",
            signal.SIGINT if by_hand else None,
        )

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        self.heed(trainer)

    def heed(self, trainer: Trainer) -> None:
        """End a validation if a signal came; all ranks call it together."""
        asked, by_hand = self._agreed(trainer, bool(_asked), signal.SIGINT in _asked)
        if asked:
            what = "Ctrl-C" if by_hand else "a signal"
            raise RunInterrupted(
                f"{what} came in validation: the same command goes on from the last checkpoint",
                signal.SIGINT if by_hand else None,
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning's ModelCheckpoint updates its own `last` only when the epoch was among the best.
        if self._saved_step != trainer.global_step:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        if self.path is not None:
            trainer.save_checkpoint(self.path, weights_only=False)
        self._saved, self._saved_step = time.monotonic(), trainer.global_step

    def _agreed(self, trainer: Trainer, *wishes: bool) -> list[bool]:
        """Which of these wishes any rank has."""
        if trainer.world_size == 1:
            return list(wishes)
        together = torch.tensor(wishes, dtype=torch.int, device=trainer.strategy.root_device)
        distributed.all_reduce(together, distributed.ReduceOp.MAX)
        return together.bool().tolist()


def _ends_here(trainer: Trainer) -> bool:
    """Whether this step is the last one (max_steps, max_time), on all ranks alike."""
    stopped = trainer.should_stop and not trainer.min_steps and not trainer.min_epochs
    return stopped or trainer.global_step == trainer.max_steps


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint under a temporary name, then renames: a kill leaves the earlier one whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with replacing(path) as part, part.open("wb") as file:
                written = _Written(file)
                try:
                    torch.save(checkpoint, cast("IO[bytes]", written))
                except RuntimeError as error:  # torch's own, in place of what the file system said
                    raise (written.fault or error) from error
                file.flush()
                os.fsync(file.fileno())  # renamed before it is on the disk, it could be empty after a power cut
        except OSError as error:
            raise OSError(
                f"cannot save {path}: {error.strerror}: an earlier checkpoint stays as it was; make room, and the same "
                "command goes on from it",
            ) from error


class _Written:
    """A file for torch.save, which remembers why it could not be written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.fault: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.fault = error
            raise

    def flush(self) -> None:
        self.file.flush()
