"""What a model with a training of its own needs around it: steps that Lightning counts, and gradients of all ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch.optim import Optimizer


class StepCounter(Optimizer):
    """Changes nothing. Lightning counts the steps of optimizers, and this one makes a single step for each batch.

    A model may make several steps for a batch (two networks), or none of an optimizer (a closed form).
    """

    def __init__(self) -> None:
        super().__init__([torch.nn.Parameter(torch.zeros(()))], {"lr": 0.0})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return None if closure is None else closure()


def average_gradients(optimizer: Optimizer, *_: Any) -> None:
    """Give the parameters of an optimizer the mean of all ranks' gradients, before its step.

    Lightning leaves that out of a training step that calls `backward` itself.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= dist.get_world_size()
