"""The systems of today with checkpointing, in bfloat16 and compiled: a training step at tiny sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import msbench
from tests.plugins.test_contract import SMALLER

SYSTEMS = ("bs_roformer", "bsrnn", "mel_band_roformer", "moises_light", "scnet", "tfc_tdf")


def model_of(name: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return msbench.load(name, **SMALLER[name], **options).train()


def step(model: Any, run: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Estimates, and the gradients of all weights in a row."""
    torch.manual_seed(1)
    mixture = 0.1 * torch.randn(2, model.channels, int(0.4 * model.sample_rate))
    estimates = run(mixture)
    estimates.float().square().sum().backward()
    gradients = [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
    return estimates.detach().float(), torch.cat(gradients)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("name", sorted({*SYSTEMS} - {"moises_light"}))
def test_checkpointing_changes_no_gradient(name: str) -> None:
    plain, lean = model_of(name), model_of(name, checkpointing=True)
    for one, other in zip(step(plain, plain), step(lean, lean), strict=True):
        torch.testing.assert_close(other, one)


@pytest.mark.parametrize("name", SYSTEMS)
def test_bfloat16_is_near(name: str) -> None:
    # With fixed statistics: those of the few values of a tiny batch normalization amplify all rounding.
    plain, coarse = model_of(name).eval(), model_of(name).eval()
    # Without oneDNN, whose transposed convolutions in bfloat16 at times give NaN on CPUs with AMX (torch 2.11).
    with torch.backends.mkldnn.flags(enabled=False), torch.autocast("cpu", torch.bfloat16):
        estimates, gradients = step(coarse, coarse)
    expected, exact = step(plain, plain)
    assert relative(estimates, expected) < 0.05
    assert float(torch.cosine_similarity(gradients, exact, dim=0)) > 0.98


@pytest.mark.daily
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_compiled_step_is_the_same(name: str) -> None:
    plain, compiled = model_of(name), model_of(name)
    estimates, gradients = step(compiled, torch.compile(compiled, backend="aot_eager"))
    expected, exact = step(plain, plain)
    assert relative(estimates, expected) < 1e-3
    assert relative(gradients, exact) < 1e-3
