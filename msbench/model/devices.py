"""The device that a model runs on, and its name."""

from __future__ import annotations

import torch


def device_or_default(device: str | None = None) -> str:
    """The device that was asked for; without a wish, CUDA's where there is one, and the CPU.

    Raises:
        ValueError: If there is no such device here; the message lists those that are.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    here = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    here += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    here += ["mps"] if torch.backends.mps.is_available() else []
    if device not in here:
        raise ValueError(f"there is no device '{device}' here: it can be {', '.join(here)}")
    return device


def card_name(device: str | torch.device) -> str | None:
    """The graphics card that a device is, as its driver names it; None for the CPU."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return None if device.type == "cpu" else device.type  # torch knows no names of other makers' cards
