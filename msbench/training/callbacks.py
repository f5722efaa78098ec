"""Callbacks of a training run: its state for those who watch, and pictures and audio for W&B."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger

from msbench.model.separator import Batch, Separator
from msbench.runs.state import mark_trained, write_state
from msbench.training.devices import cost_so_far
from msbench.training.song_validation import TRACK_SDR

STATE_SECONDS = 1.0  # at least between two writes of the state file


class RunState(Callback):
    """Writes `state.json` into the run's folder: stage, epoch, step, part done and the last metrics."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written = 0.0
        self._metrics: dict[str, float] = {}  # the last of each: songs are not scored in every validation

    def _write(self, trainer: Trainer, stage: str) -> None:
        if not trainer.is_global_zero:
            return
        steps = trainer.estimated_stepping_batches
        self._metrics |= {k: round(float(v), 4) for k, v in trainer.callback_metrics.items()}
        write_state(
            self.folder,
            stage=stage,
            epoch=trainer.current_epoch,
            step=trainer.global_step,
            done=min(1.0, trainer.global_step / steps) if steps and steps != float("inf") else None,
            metrics=self._metrics,
        )

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        if time.monotonic() - self._written >= STATE_SECONDS:
            self._write(trainer, "training")
            self._written = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._write(trainer, "training")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer, "trained")
        if trainer.is_global_zero:
            cost = cost_so_far(pl_module.device)
            mark_trained(self.folder, epochs=trainer.current_epoch, steps=trainer.global_step, **cost)


class StepOnPlateau(Callback):
    """Steps ReduceLROnPlateau at the end of each validation, so that a checkpoint saved then has it behind it.

    Raises:
        ValueError: If what the scheduler watches is not logged.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for schedule in () if trainer.sanity_checking else trainer.lr_scheduler_configs:
            if not schedule.reduce_on_plateau:
                continue
            watched = trainer.callback_metrics.get(str(schedule.monitor))
            if watched is None and str(schedule.monitor).startswith(TRACK_SDR):
                continue  # no songs were validated this time
            if watched is None:
                raise ValueError(
                    f"model.lr_scheduler.monitor: '{schedule.monitor}' is not logged, "
                    f"but {', '.join(sorted(trainer.callback_metrics))} are"
                )
            schedule.scheduler.step(watched)  # type: ignore[arg-type]


class LogExamples(Callback):
    """Logs audio and spectrogram pictures of one validation chunk to W&B, at most every `every_epochs` epochs."""

    def __init__(self, every_epochs: int = 5) -> None:
        self.every_epochs = every_epochs

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int, *args: Any
    ) -> None:
        logger = next((x for x in trainer.loggers if isinstance(x, WandbLogger)), None)
        first = batch_idx == 0 and not trainer.sanity_checking and trainer.is_global_zero
        if logger is None or not first or trainer.current_epoch % self.every_epochs:
            return
        mixture, references = batch[0][:1], batch[1][0]
        with torch.no_grad():
            estimates = pl_module(mixture)[0]
        separator: Separator = pl_module.separator  # type: ignore[assignment]
        rate = separator.sample_rate
        sounds = {"mixture": mixture[0]}
        for i, target in enumerate(separator.targets):
            sounds |= {f"{target}/reference": references[i], f"{target}/estimate": estimates[i]}
        import matplotlib.pyplot as plt
        import wandb

        from msbench.audio.spectrograms import stem_figure

        logged: dict[str, Any] = {}
        for name, sound in sounds.items():
            logged[f"audio/{name}"] = wandb.Audio(sound.float().cpu().clamp(-1, 1).numpy().T, sample_rate=rate)
        for i, target in enumerate(separator.targets):
            figure = stem_figure(
                {"mixture": mixture[0], "reference": references[i], "estimate": estimates[i]}, rate, title=target
            )
            logged[f"spectrograms/{target}"] = wandb.Image(figure)
            plt.close(figure)
        logger.experiment.log({**logged, "epoch": trainer.current_epoch})
