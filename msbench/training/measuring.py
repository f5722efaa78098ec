"""Measures the training step of a recipe on made-up audio: how long it takes, and what memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from msbench.model.costs import parameter_count
from msbench.training.command_line import FitCLI
from msbench.training.devices import cost_so_far
from msbench.training.recipes import request

WARM_UP, BATCHES = 2, 3


class _Stopwatch(Callback):
    """Keeps the seconds of each batch, and the device."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.device = torch.device("cpu")
        self._began = 0.0

    def _now(self) -> float:
        if self.device.type == "cuda":  # which is told what to do, and does it later
            torch.cuda.synchronize(self.device)
        return time.monotonic()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self.device = pl_module.device
        self._began = self._now()

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self.seconds.append(self._now() - self._began)


def measured_step(arguments: Sequence[str], accumulated: int = 1) -> dict[str, Any]:
    """Train some steps as `msbench fit` would with these flags, on noise; no dataset is opened and nothing is kept.

    Args:
        arguments: The flags.
        accumulated: Batches per step of the optimizer.

    Returns:
        step_seconds: Per step of the optimizer, without loading data and without validation. peak_bytes, device: As
        `cost_so_far`. threads: On the processor. parameters: Of the model. batch: Shape of the references.
    """
    warm_up, batches = max(WARM_UP, accumulated), max(BATCHES, accumulated)
    tried = ["--trainer.fast_dev_run", str(warm_up + batches), "--trainer.enable_model_summary", "false"]
    asked = request([*arguments, *tried])
    cli = FitCLI(asked.name, asked.arguments, asked)
    parameters = parameter_count(cli.model.separator)
    cli.model.adapt()
    data, watch = cli.datamodule, _Stopwatch()
    references = 0.1 * torch.randn(data.batch_size, len(data.format.targets), data.format.channels, data.format.samples)
    cli.trainer.callbacks.append(watch)  # type: ignore[attr-defined]
    chunks: Any = [(references.sum(1), references)] * (warm_up + batches)
    cli.trainer.fit(cli.model, DataLoader(chunks, batch_size=None))
    return {
        "step_seconds": accumulated * sum(watch.seconds[warm_up:]) / batches,
        **cost_so_far(watch.device),
        "threads": torch.get_num_threads() if watch.device.type == "cpu" else None,
        "parameters": parameters,
        "batch": [*references.shape],
    }
