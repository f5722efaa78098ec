"""Losses of today: the values of the packages that models are trained with."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Optional

import pytest
import torch

from msbench.losses.criterion import Criterion
from msbench.losses.functions import masked_mse, mse
from msbench.losses.levels import l1_snr, l1_snr_db
from msbench.losses.spectra import multi_resolution, spectrogram_rmse, stft_l1_snr
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


def msst_losses() -> dict[str, Any]:
    """The functions of msst's losses, whose module imports packages that no test here needs."""
    spec = peer("importlib.util").find_spec("msst")
    if spec is None:
        peer("msst")
    path = Path(spec.submodule_search_locations[0]) / "utils" / "losses.py"
    module = ast.parse(path.read_text("utf-8"))
    wanted = ("masked_loss", "select_active_stems", "spec_rmse_loss")
    module.body = [each for each in module.body if isinstance(each, ast.FunctionDef) and each.name in wanted]
    scope = {"torch": torch, "F": torch.nn.functional, "Optional": Optional}
    exec(compile(module, str(path), "exec"), scope)
    return scope


@pytest.mark.parametrize("coarse", [True, False])
@pytest.mark.parametrize("q", [0.3, 0.5, 0.95])
def test_masked_mse_is_msst_s(coarse: bool, q: float) -> None:
    generator = torch.Generator().manual_seed(1)
    estimates, references = (torch.randn(5, 3, 2, 400, generator=generator) for _ in range(2))
    theirs = msst_losses()["masked_loss"](estimates, references, q, coarse)
    torch.testing.assert_close(masked_mse(estimates, references, q=q, coarse=coarse).mean(), theirs)
    one = masked_mse(estimates[:1], references[:1], q=q)
    torch.testing.assert_close(one, mse(estimates[:1], references[:1]))  # nothing is left out of a batch of one


def test_masked_mse_leaves_the_wrong_label_alone() -> None:
    references = torch.zeros(4, 1, 1, 10)
    estimates = (references + torch.tensor([1.0, 2, 3, 50])[:, None, None, None]).requires_grad_()
    value = masked_mse(estimates, references, q=0.9)
    value.sum().backward()
    assert value.tolist() == [1, 4, 9, 0]
    assert estimates.grad is not None
    assert estimates.grad.flatten(1).any(1).tolist() == [True, True, True, False]
    with pytest.raises(ValueError, match=r"q must be between 0 and 1, not 1"):
        masked_mse(estimates, references, q=1.0)


def test_spectrogram_rmse_is_scnets() -> None:
    """By msst's function, which is that of starrytong/SCNet but for the floor below the root."""
    estimates, references = stereo()
    options = {"n_fft": 512, "hop_length": 128, "win_length": 512, "center": True, "normalized": True}
    theirs = msst_losses()["spec_rmse_loss"](estimates, references, options)
    ours = spectrogram_rmse(estimates, references, window_samples=512, hop_samples=128)
    torch.testing.assert_close(ours.mean(), theirs, rtol=1e-6, atol=0)
    hann = spectrogram_rmse(estimates, references, window_samples=512, hop_samples=128, window="hann")
    assert (hann < ours).all()  # it has less energy
    with pytest.raises(ValueError, match="window must be rectangular or hann, not 'square'"):
        spectrogram_rmse(estimates, references, window="square")


GAINS = {"louder": 3.0, "alike": 1.0, "quieter": 0.01}


@pytest.mark.parametrize("gain", GAINS.values(), ids=GAINS)
def test_the_l1_snr_family_is_torch_l1_snrs(gain: float) -> None:
    theirs = peer("torch_l1_snr")
    estimates, references = stereo()
    estimates = gain * estimates
    pairs = [
        (l1_snr, theirs.L1SNRLoss("x")),
        (l1_snr_db, theirs.L1SNRDBLoss("x")),
        (stft_l1_snr, theirs.STFTL1SNRDBLoss("x")),
        (partial(stft_l1_snr, level_weight=0.1), theirs.STFTL1SNRDBLoss("x", use_regularization=True)),
        (_recommended, theirs.MultiL1SNRDBLoss("x")),
    ]
    for ours, expected in pairs:
        values, gradients = [], []
        for loss in (ours, expected):
            given = estimates.clone().requires_grad_()
            value = loss(given, references).mean()
            value.backward()
            values.append(value.detach())
            gradients.append(given.grad)
        torch.testing.assert_close(*values, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-6)


def _recommended(estimates: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    return 0.5 * l1_snr_db(estimates, references) + 0.5 * stft_l1_snr(estimates, references)


@pytest.mark.parametrize("rate", [44100, 8000])
def test_log_wmse_is_the_packages(rate: int) -> None:
    theirs = peer("torch_log_wmse").LogWMSELoss(sample_rate=rate)
    estimates, references = stereo()
    expected = theirs(references.sum(1), estimates.transpose(1, 2), references.transpose(1, 2))
    ours = Criterion({"log_wmse": 1.0}, sample_rate=rate).of(references.sum(1))(estimates, references)
    torch.testing.assert_close(ours, expected)


def test_log_wmse_without_its_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_log_wmse", None)
    monkeypatch.delitem(sys.modules, "msbench.losses.log_wmse", raising=False)
    with pytest.raises(ImportError, match=r"needs torch-log-wmse: pip install 'msbench\[logwmse\]'"):
        Criterion("log_wmse")


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "multi_resolution": multi_resolution,
    "masked_mse": masked_mse,
    "spectrogram_rmse": partial(spectrogram_rmse, window_samples=1024),
    "l1_snr": l1_snr,
    "l1_snr_db": l1_snr_db,
    "stft_l1_snr": partial(stft_l1_snr, level_weight=0.1),
    "log_wmse": lambda a, b: Criterion("log_wmse").of(b.sum(1)).each(a, b),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("silent", ["nothing", "estimates", "references", "everything"])
@pytest.mark.parametrize("half", [False, True])
def test_gradients_are_finite(loss: Callable[..., torch.Tensor], silent: str, half: bool) -> None:
    """Of silence too, and of estimates in bfloat16 under autocast; the values are then nearly the same."""
    if loss is LOSSES["log_wmse"]:
        peer("torch_log_wmse")
    estimates, references = (signals[..., :3000] for signals in stereo())
    estimates = (estimates * (silent not in ("estimates", "everything"))).requires_grad_()
    references = references * (silent not in ("references", "everything"))
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        values = loss(estimates.bfloat16() if half else estimates, references)
    values.sum().backward()
    assert values.shape == (2,)
    assert estimates.grad is not None
    assert estimates.grad.isfinite().all()
    assert bool(estimates.grad.any()) or silent == "everything"
    torch.testing.assert_close(values, loss(estimates.detach(), references), rtol=0.02, atol=0.02)


def test_chunks_that_are_too_short_are_told() -> None:
    short = torch.zeros(1, 1, 1, 2048)
    with pytest.raises(ValueError, match=r"4096 samples needs chunks of more than 2048, and these have 2048: raise"):
        multi_resolution(short, short)
    assert multi_resolution(short, short, windows=[256]) == 0
