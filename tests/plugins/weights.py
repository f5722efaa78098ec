"""Copying weights from a published implementation into ours, to compare what both make of the same input."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Copy all parameters and statistics, which come in the same order and shapes under other names."""
    ours, theirs = list(target.state_dict().items()), list(source.state_dict().values())
    assert [value.shape for _, value in ours] == [value.shape for value in theirs]
    target.load_state_dict({name: value for (name, _), value in zip(ours, theirs, strict=True)})


def randomise_statistics(module: nn.Module) -> None:
    """Give normalisations weights and running statistics as a trained network has: fresh ones hide their order."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.1)


def largest_difference(ours: Tensor, theirs: Tensor) -> float:
    """Relative to the peak."""
    assert ours.shape == theirs.shape
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
