"""Training on several devices: what is asked for has to be there, and no rank may wait forever."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch
from lightning.pytorch.plugins.environments import SLURMEnvironment
from lightning.pytorch.strategies import DDPStrategy

from msbench.model.devices import card_name
from msbench.records.provenance import hardware
from msbench.system.errors import sentence
from msbench.system.memory import peak_bytes

PATIENCE = timedelta(minutes=15)  # for a rank that does not come to a collective


def parallel_settings(trainer: Any) -> dict[str, Any]:
    """What a Trainer needs beyond its own settings to train on their devices and nodes.

    Args:
        trainer: The settings (`accelerator`, `devices`, `num_nodes`, `strategy`).

    Raises:
        ValueError: If there are fewer devices than asked for, or the job's processes do not match them.
    """
    nodes = int(trainer.num_nodes or 1)
    try:
        devices = int(trainer.devices)
    except (TypeError, ValueError):  # "auto", or a list
        devices = len(trainer.devices) if isinstance(trainer.devices, list) else -1
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.cuda.is_available())
    if not on_cpu and devices > torch.cuda.device_count():
        raise ValueError(
            f"{devices} GPUs are asked for on each node and {torch.cuda.device_count()} are visible here: correct "
            "trainer.devices, or what the job requests (CUDA_VISIBLE_DEVICES is "
            f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')})"
        )
    settings: dict[str, Any] = {}
    if SLURMEnvironment.detect():
        ranks = int(os.environ["SLURM_NTASKS"])
        if devices > 0 and ranks != devices * nodes:
            raise ValueError(
                f"{nodes} nodes of {devices} devices need {nodes * devices} processes and srun started {ranks}: make "
                "--nodes and --ntasks-per-node agree with trainer.num_nodes and trainer.devices"
            )
        try:
            settings["plugins"] = [SLURMEnvironment(auto_requeue=False)]
        except RuntimeError as error:  # Lightning's word on variables of srun that it does not support
            raise ValueError(f"the job's settings of srun do not serve: {sentence(error)}") from error
    if devices < 0:  # "auto": all GPUs, or the one CPU
        devices = 1 if on_cpu else torch.cuda.device_count()
    if devices * nodes > 1 and trainer.strategy in ("auto", "ddp"):
        settings["strategy"] = DDPStrategy(timeout=PATIENCE)
    return settings


def cost_so_far(device: torch.device) -> dict[str, Any]:
    """What this process has trained on, and its peak memory there.

    Returns:
        device: The card, or the processor. peak_bytes: What tensors took of the card at most; on the processor, what
        was resident of the whole process.
    """
    if device.type == "cuda":
        return {"device": card_name(device), "peak_bytes": torch.cuda.max_memory_allocated(device)}
    return {"device": card_name(device) or hardware(), "peak_bytes": peak_bytes()}
