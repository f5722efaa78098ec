"""What recipes name as `class_path` and torch does not have: an optimizer, and a schedule of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw
from torch.optim.lr_scheduler import LRScheduler

_QUINTIC = (3.4445, -4.7750, 2.0315)  # of Jordan's post, as torch.optim.Muon has them


class Muon(Optimizer):
    """Momentum whose matrices are orthogonalized (Jordan 2024), and AdamW for all that is no matrix.

    As torch.optim.Muon (torch 2.11) with `adjust_lr_fn="match_rms_adamw"` of Liu et al. 2025 (arXiv:2502.16982), so
    that AdamW's learning rate and weight decay serve both. torch's takes matrices alone; here, as in msst 0.1.0
    (utils/model_utils.py), the kernels of convolutions are matrices of their outputs by all else, and vectors and
    scalars are AdamW's.

    Args:
        params: Parameters of a model.
        lr: Of both.
        weight_decay: Of both, decoupled from the gradient.
        momentum: Of matrices, Nesterov's.
        iterations: Of Newton and Schulz, per matrix and step.
        betas, eps: Of AdamW.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        momentum: float = 0.95,
        iterations: int = 5,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        if lr < 0 or weight_decay < 0 or eps < 0 or iterations < 1:
            raise ValueError("lr, weight_decay and eps must be at least 0, and iterations at least 1")
        if not all(0 <= share < 1 for share in (momentum, *betas)):
            raise ValueError(f"momentum and betas must be from 0 to below 1, not {momentum} and {betas}")
        given = list(params)
        matrices = [each for each in given if each.ndim >= 2 and not each.is_complex()]
        others = [each for each in given if each.ndim < 2 or each.is_complex()]
        groups: list[dict[str, Any]] = [{"params": matrices, "matrices": True}, {"params": others, "matrices": False}]
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "iterations": iterations}
        super().__init__([group for group in groups if group["params"]], defaults | {"betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            learned = [each for each in group["params"] if each.grad is not None]
            if group["matrices"]:
                for parameter in learned:
                    self._turn(parameter, group)
            else:
                self._adamw(learned, group)
        return loss

    def _turn(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(state["momentum_buffer"], group["momentum"]).flatten(1)
        rate = group["lr"] * 0.2 * math.sqrt(max(update.shape))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        turned = _orthogonal(update, group["iterations"]).to(parameter.dtype)
        parameter.add_(turned.view_as(parameter), alpha=-rate)

    def _adamw(self, learned: list[nn.Parameter], group: dict[str, Any]) -> None:
        for parameter in learned:
            if not self.state[parameter]:
                made = {"exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
                self.state[parameter].update(step=torch.tensor(0.0), **made)
        states = [self.state[each] for each in learned]
        parameters: list[Tensor] = list(learned)
        adamw(
            parameters,
            [each.grad for each in learned if each.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            has_complex=any(each.is_complex() for each in learned),
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def _orthogonal(matrix: Tensor, iterations: int) -> Tensor:
    """Near the closest matrix with orthonormal rows or columns, by the iteration of Newton and Schulz in bfloat16."""
    a, b, c = _QUINTIC
    wide = matrix.shape[0] <= matrix.shape[1]
    turned = (matrix if wide else matrix.T).bfloat16()
    turned = turned / turned.norm().clamp_min(1e-7)
    for _ in range(iterations):
        gram = turned @ turned.T
        turned = torch.addmm(turned, torch.addmm(gram, gram, gram, beta=b, alpha=c), turned, beta=a)
    return turned if wide else turned.T


class WarmupCosine(LRScheduler):
    """A learning rate that grows linearly in the first epochs, and falls by half a cosine in those that follow.

    torch's `SequentialLR` of `LinearLR` and `CosineAnnealingLR`, whose nested schedules a recipe cannot hold.

    Args:
        optimizer: Whose learning rate it is.
        epochs: Of the training; from then on the rate is `floor`.
        warmup_epochs: Before the rate is that of the optimizer; the first one has 1 / (warmup_epochs + 1) of it.
        floor: The least share of the optimizer's rate.

    Raises:
        ValueError: If the warm-up is not shorter than the training, or the floor no share.
    """

    def __init__(self, optimizer: Optimizer, epochs: int, warmup_epochs: int = 0, floor: float = 0.0) -> None:
        if not 0 <= warmup_epochs < epochs:
            raise ValueError(f"warmup_epochs must be from 0 to below epochs, not {warmup_epochs} of {epochs}")
        if not 0 <= floor <= 1:
            raise ValueError(f"floor must be from 0 to 1, not {floor}")
        self.epochs, self.warmup_epochs, self.floor = epochs, warmup_epochs, floor
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        return [rate * self._share(self.last_epoch) for rate in self.base_lrs]

    def _share(self, epoch: int) -> float:
        if epoch < self.warmup_epochs:
            return (epoch + 1) / (self.warmup_epochs + 1)
        done = min(1.0, (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * done)) / 2
