"""What a call of `msbench fit` leaves behind, and the sentence that says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from msbench.training.song_validation import TRACK_SDR

BEST, LAST = "best.ckpt", "last.ckpt"


@dataclass(frozen=True)
class Kept:
    """What there is when `msbench fit` has ended.

    Attributes:
        folder: The run's.
        checkpoint: The best checkpoint; the last one where none is best; None where none is kept.
        sentence: What was trained and kept, for whoever ran it.
    """

    folder: Path
    checkpoint: Path | None
    sentence: str


def kept_by(trainer: Trainer, settings: Any, folder: Path, step_before: int) -> Kept:
    """Look at what a training that has ended left in its folder.

    Args:
        trainer: That trained.
        settings: All fields.
        folder: The run's.
        step_before: Where it went on from.
    """
    asked = settings.trainer
    if asked.fast_dev_run:
        return Kept(folder, None, "nothing is kept: trainer.fast_dev_run tries a few steps and leaves no run behind")
    callback = next((each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)), None)
    best = _best(callback, folder)
    checkpoint: Path | None
    if best.is_file():
        inside = best.parent.resolve() == folder.resolve()  # Lightning makes the path absolute
        checkpoint, lack = (folder / best.name if inside else best), ""
    elif (folder / LAST).is_file():
        checkpoint, lack = folder / LAST, f" (no best checkpoint: {_why_none_is_best(trainer, settings)})"
    else:
        checkpoint, lack = None, ""
    if trainer.global_step > step_before:
        if checkpoint is not None:
            return Kept(folder, checkpoint, f"trained: {checkpoint}{lack}")
        return Kept(folder, None, f"trained, and nothing is kept: {_why_nothing_is_kept(settings)}")
    there = "nothing is kept" if checkpoint is None else f"there is {checkpoint}{lack}"
    return Kept(folder, checkpoint, f"nothing was trained: {_why_nothing_was_trained(trainer, settings)}; {there}")


def _best(callback: ModelCheckpoint | None, folder: Path) -> Path:
    if callback is None or not callback.best_model_path:
        return folder / BEST
    best = Path(callback.best_model_path)
    here = Path(callback.dirpath or folder) / best.name  # of a run that was moved, Lightning remembers the old place
    return here if here.is_file() else best


def _why_nothing_was_trained(trainer: Trainer, settings: Any) -> str:
    asked, step = settings.trainer, trainer.global_step
    if asked.limit_train_batches == 0:
        return "trainer.limit_train_batches is 0"
    if asked.max_steps is not None and 0 <= asked.max_steps <= step:
        return _ended("trainer.max_steps", asked.max_steps, step)
    if asked.max_epochs is not None and 0 <= asked.max_epochs <= trainer.current_epoch:
        return _ended("trainer.max_epochs", asked.max_epochs, step)
    if asked.max_time is not None:
        return "trainer.max_time was over"
    return "the run had ended"


def _ended(field: str, value: int, step: int) -> str:
    return f"{field} is {value}" if step == 0 else f"the run had reached {field} {value} (raise it to go on)"


def _why_none_is_best(trainer: Trainer, settings: Any) -> str:
    watched = settings.checkpoint
    if settings.trainer.enable_checkpointing is False:
        return "trainer.enable_checkpointing is false"
    if watched.save_top_k == 0:
        return "checkpoint.save_top_k is 0"
    if watched.monitor is not None and watched.monitor not in trainer.callback_metrics:
        first = f"the first validation, which gives {watched.monitor}"
        if watched.monitor.startswith(TRACK_SDR):
            first = f"a validation of songs gave {watched.monitor}"
        return why_it_never_comes(watched.monitor, settings) or f"training ended before {first}"
    return "no epoch was finished that checkpoint's settings let it keep"


def _why_nothing_is_kept(settings: Any) -> str:
    if settings.trainer.enable_checkpointing is False:
        return "trainer.enable_checkpointing is false"
    return "no checkpoint was due"


def why_no_validation(settings: Any) -> str | None:
    """The settings by which no validation comes, as a reason; None where one may come."""
    asked = settings.trainer
    if asked.limit_val_batches == 0:
        return "no validation comes, as trainer.limit_val_batches is 0"
    every, epochs = asked.check_val_every_n_epoch, asked.max_epochs
    if every is not None and epochs is not None and every > epochs >= 0:
        return f"no validation comes, as trainer.check_val_every_n_epoch is {every} and trainer.max_epochs is {epochs}"
    steps = _first_validation(settings)
    if asked.max_steps is not None and 0 <= asked.max_steps < steps:
        return f"no validation comes, as trainer.max_steps is {asked.max_steps} and the first would follow step {steps}"
    return None


def why_it_never_comes(monitor: str, settings: Any) -> str | None:
    """The settings by which a score of the validation never comes, as a reason; None where it may come."""
    every, epochs = settings.validate_songs_every, settings.trainer.max_epochs
    never = every is not None and epochs is not None and every > epochs >= 0
    if never and monitor.startswith(TRACK_SDR):
        return f"no songs are validated, as validate_songs_every is {every} and trainer.max_epochs is {epochs}"
    return why_no_validation(settings)


def _first_validation(settings: Any) -> int:
    """At least how many steps come before the first validation, for one process."""
    asked, data = settings.trainer, settings.data
    batches = -(-data.chunks_per_epoch // data.batch_size)
    if isinstance(asked.limit_train_batches, int) and not isinstance(asked.limit_train_batches, bool):
        batches = min(batches, asked.limit_train_batches)
    if (asked.num_nodes or 1) != 1 or asked.devices not in (1, "1") or asked.limit_train_batches.__class__ is float:
        return 0  # fewer batches for each: the end of the run tells
    interval = asked.val_check_interval
    if asked.check_val_every_n_epoch is None or not isinstance(interval, int | float | None):
        return 0
    if interval is not None:
        batches = min(batches, interval if isinstance(interval, int) else int(batches * interval))
        return batches // (asked.accumulate_grad_batches or 1)
    return -(-batches * asked.check_val_every_n_epoch // (asked.accumulate_grad_batches or 1))
