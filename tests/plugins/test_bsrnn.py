"""The band-split RNN against a transcription of magronp/bsrnn, its sizes, its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from msbench_plugins.bsrnn import band_widths
from torch import Tensor, nn
from torch.nn import functional

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import largest_difference, noise

SMALL: dict[str, Any] = {"sample_rate": 8000, "window_samples": 128, "hop_samples": 32, "features": 6, "depth": 2}
SMALL |= {"hidden": 5, "mask_expansion": 2, "chunk_seconds": None}


def transcribed(weights: Mapping[str, Tensor], signal: Tensor, widths: list[int]) -> Tensor:
    """One target of a channel (B, T), as by `forward` of models/bsrnn.py and of the classes of models/bs.py.

    `weights` is a state dict of magronp/bsrnn (f2ecc62) of 6 features, 2 pairs of 5 units, and a window of 128.
    """

    def group_norm(name: str, x: Tensor) -> Tensor:  # (B, C, L)
        return functional.group_norm(x, 1, weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-7)

    def convolved(name: str, x: Tensor) -> Tensor:
        return functional.conv1d(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def residual(name: str, x: Tensor) -> Tensor:  # ResNet.forward, on (B, N, L)
        lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        inside = f"{name}.main_layer."
        lstm.load_state_dict({k.removeprefix(inside): v for k, v in weights.items() if k.startswith(inside)})
        output, _ = lstm(group_norm(f"{name}.norm", x).transpose(1, 2))
        projected = functional.linear(output, weights[f"{name}.proj.weight"], weights[f"{name}.proj.bias"])
        return x + projected.transpose(1, 2)

    window = torch.hann_window(128)
    spectrum = torch.stft(signal, 128, 32, window=window, return_complex=True)
    parts = torch.stack([spectrum.real, spectrum.imag], 1)
    edges = torch.tensor([0, *widths]).cumsum(0).tolist()
    bands = [parts[:, :, first:last] for first, last in zip(edges[:-1], edges[1:], strict=True)]
    x = torch.stack(
        [convolved(f"BN.{i}.1", group_norm(f"BN.{i}.0", band.flatten(1, 2))) for i, band in enumerate(bands)], 1
    )  # (B, K, N, T)
    batch, count, features, frames = x.shape
    for pair in range(2):
        x = residual(f"separator.{pair}.time_net", x.reshape(batch * count, features, frames))
        x = x.view(batch, count, features, frames).permute(0, 3, 2, 1).reshape(batch * frames, features, count)
        x = residual(f"separator.{pair}.band_net", x).view(batch, frames, features, count).permute(0, 3, 2, 1)
    estimates = []
    for i, band in enumerate(bands):
        name = f"maskers.0.mask.{i}"
        out = convolved(f"{name}.1", group_norm(f"{name}.0", x[:, i])).tanh()
        out = convolved(f"{name}.5", convolved(f"{name}.3", out).tanh()).view(batch, 2, 2, widths[i], frames)
        mask = out[:, 0] * out[:, 1].sigmoid()
        estimates.append(torch.complex(*band.unbind(1)) * torch.complex(*mask.unbind(1)))
    return torch.istft(torch.cat(estimates, 1), 128, 32, window=window, length=signal.shape[-1])


@pytest.mark.parametrize(("channels", "targets"), [(2, ["vocals"]), (1, ["vocals", "drums", "bass", "other"])])
def test_it_gives_the_outputs_of_the_reference(channels: int, targets: list[str]) -> None:
    torch.manual_seed(0)
    model = msbench.load("bsrnn", targets=targets, channels=channels, **SMALL).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith("0.weight"):  # of normalizations: gains of one would hide their order
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    for time in (65, 3200, 4001):
        mixture = noise(2, channels, time)
        with torch.no_grad():
            estimates = model(mixture)
            for i, target in enumerate(targets):
                weights = model.target_models[target].state_dict()
                expected = transcribed(weights, mixture.flatten(0, 1), band_widths(target, 8000, 65))
                assert largest_difference(estimates[:, i].flatten(0, 1), expected) < 1e-5


def test_the_bands_of_the_paper() -> None:
    """V7 of vocals, and those of bass and drums, rounded down as in `get_bandsplit` of models/bs.py."""
    assert band_widths("vocals", 44100, 1025) == [4] * 10 + [11] * 12 + [23] * 8 + [46] * 8 + [92] * 2 + [117]
    assert band_widths("bass", 44100, 1025) == [2] * 10 + [4] * 5 + [23] * 6 + [46] * 4 + [92] * 4 + [295]
    assert band_widths("drums", 44100, 1025) == [2] * 20 + [4] * 10 + [11] * 8 + [23] * 8 + [46] * 8 + [305]
    assert band_widths("other", 44100, 1025) == band_widths("vocals", 44100, 1025)


def test_bands_hold_all_bins_at_any_rate() -> None:
    for rate, bins in ((8000, 65), (11025, 257), (22050, 513), (96000, 1025)):
        widths = band_widths("drums", rate, bins)
        assert sum(widths) == bins
        assert min(widths) >= 1


@pytest.mark.parametrize(("target", "count"), [("vocals", 36_417_160), ("bass", 32_797_192), ("drums", 41_024_392)])
def test_the_sizes_of_the_reference(target: str, count: int) -> None:
    """Counted from models/bsrnn.py with conf/src_mod/bsrnn-large.yaml."""
    with torch.device("meta"):
        assert parameter_count(msbench.load("bsrnn", targets=[target])) == count


def test_training_compares_waveforms_and_both_parts_of_the_spectrum() -> None:
    torch.manual_seed(0)
    model = msbench.load("bsrnn", targets=["vocals", "bass"], channels=2, **SMALL)
    references = noise(2, 2, 2, 1000)
    batch = Batch(references.sum(1), references)
    losses = model.loss(batch, Criterion("l1"))
    estimates = model(batch.mixture)
    for i, target in enumerate(model.targets):
        spectra = [model.stft(each[:, i]) for each in (estimates, references)]
        assert (estimates[:, i] - references[:, i]).abs().mean() < losses[target] / 2
        assert losses[target] > (spectra[0] - spectra[1]).abs().mean() / 2
    model.spectrum_loss = False
    torch.testing.assert_close(
        torch.stack(list(model.loss(batch, Criterion("l1")).values())), (estimates - references).abs().mean((0, 2, 3))
    )


def test_checkpointing_changes_no_gradient() -> None:
    mixture, gradients = noise(1, 1, 500), []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = msbench.load("bsrnn", targets=["vocals"], channels=1, checkpointing=checkpointing, **SMALL)
        model(mixture).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)


def test_bfloat16_is_near() -> None:
    torch.manual_seed(0)
    model, mixture = msbench.load("bsrnn", targets=["vocals"], channels=1, **SMALL).eval(), noise(1, 1, 3001)
    # Without oneDNN, whose LSTM refuses bfloat16 on some CPUs.
    with torch.backends.mkldnn.flags(enabled=False), torch.autocast("cpu", torch.bfloat16):
        rough = model(mixture)
    exact = model(mixture)
    assert (exact.square().sum() / (rough - exact).square().sum()).log10() > 3  # 30 dB


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth must be at least 1, not 0"),
        ({"chunk_seconds": 0.001}, "chunk_seconds must be a hop of 512 samples or more, not 0.001"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.registry.load("models", "bsrnn")(**options)
