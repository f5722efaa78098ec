"""The device that a model runs on."""

from __future__ import annotations

import torch


def device_or_default(device: str | None = None) -> str:
    """The device that was asked for; without a wish, CUDA's where there is one, and the CPU."""
    return device or ("cuda" if torch.cuda.is_available() else "cpu")
