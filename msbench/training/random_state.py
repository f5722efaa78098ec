"""The state of every generator of random numbers that a training step may draw from."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import distributed


def random_state() -> dict[str, Any]:
    """Of torch, CUDA's current device, numpy and Python, as what `torch.load(weights_only=True)` reads back."""
    name, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "python": random.getstate(),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Go on from what `random_state` returned."""
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))


def gathered(state: dict[str, Any]) -> list[dict[str, Any]]:
    """This state of every rank, by rank."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [state]
    states: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(states, state)
    return states
