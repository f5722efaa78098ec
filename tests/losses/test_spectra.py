"""Losses on spectrograms: the values of the packages that models are trained with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch

from msbench.losses.spectra import multi_resolution
from tests.requirements import peer


@cache
def stereo() -> tuple[torch.Tensor, torch.Tensor]:
    """Estimates and references of two items, two targets and two channels."""
    generator = torch.Generator().manual_seed(0)
    return tuple(0.3 * torch.randn(2, 2, 2, 5003, generator=generator) for _ in range(2))  # type: ignore[return-value]


def test_multi_resolution_is_what_roformers_train_with() -> None:
    """Of their network's own estimates: its forward pass gives the loss of these alone."""
    theirs = peer("msst.models.bs_roformer.bs_roformer").BSRoformer
    torch.manual_seed(0)
    model = theirs(
        dim=4,
        depth=1,
        heads=1,
        dim_head=4,
        freqs_per_bands=(5, 60),
        stft_n_fft=128,
        stft_hop_length=64,
        stft_win_length=128,
        num_stems=2,
        stereo=True,
        flash_attn=False,
        mask_estimator_depth=1,
    ).eval()
    references = stereo()[1]
    mixture = references.sum(1)
    with torch.no_grad():
        value, parts = model(mixture, target=references, return_loss_breakdown=True)
        estimates = model(mixture)
    ours = multi_resolution(estimates, references, fft_samples=128).mean()
    torch.testing.assert_close(ours, value, rtol=1e-6, atol=0)
    assert parts[1] > parts[0] > 0


LOSSES = {
    "multi_resolution": multi_resolution,
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("silent", ["nothing", "estimates", "references", "everything"])
@pytest.mark.parametrize("half", [False, True])
def test_gradients_are_finite(loss: Callable[..., torch.Tensor], silent: str, half: bool) -> None:
    """Of silence too, and of estimates in bfloat16 under autocast; the values are then nearly the same."""
    estimates, references = (signals[..., :3000] for signals in stereo())
    estimates = (estimates * (silent not in ("estimates", "everything"))).requires_grad_()
    references = references * (silent not in ("references", "everything"))
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        values = loss(estimates.bfloat16() if half else estimates, references)
    values.sum().backward()
    assert values.shape == (2,)
    assert estimates.grad is not None
    assert estimates.grad.isfinite().all()
    assert bool(estimates.grad.any()) == (silent != "everything")
    torch.testing.assert_close(values, loss(estimates.detach(), references), rtol=0.01, atol=1e-3)


def test_chunks_that_are_too_short_are_told() -> None:
    short = torch.zeros(1, 1, 1, 2048)
    with pytest.raises(ValueError, match=r"4096 samples needs chunks of more than 2048, and these have 2048: raise"):
        multi_resolution(short, short)
    assert multi_resolution(short, short, windows=[256]) == 0
