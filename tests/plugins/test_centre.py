"""The middle of two channels: what both have is voice, what one has is not, and the sides are at right angles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import msbench
from msbench.cli.app import main

RATE = 8000


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model() -> msbench.Separator:
    return msbench.load("centre", sample_rate=RATE, window_samples=256, hop_samples=64)


def test_what_both_channels_have_is_voice(model: msbench.Separator) -> None:
    mixture = torch.sin(torch.arange(8001) / 3).expand(1, 2, -1)  # no bin at 0 Hz or half the rate
    vocals, accompaniment = model(mixture)[0]
    torch.testing.assert_close(vocals[:, 500:7500], mixture[0, :, 500:7500], atol=1e-3, rtol=0)
    assert accompaniment[:, 500:7500].abs().max() < 1e-3


def test_what_one_channel_has_is_accompaniment(model: msbench.Separator) -> None:
    for gains in ([1.0, 0.0], [0.0, 1.0]):
        mixture = noise(1, 1, 8001) * torch.tensor(gains)[:, None]
        assert model(mixture)[0, 0].abs().max() < 1e-6


def test_the_sides_are_at_right_angles_in_each_bin(model: msbench.Separator, monkeypatch: pytest.MonkeyPatch) -> None:
    """(L - C) . (R - C) = 0, and C is a real multiple of L + R, the solution with C = 0 for one channel alone."""
    mixture = noise(1, 2, 8001)
    left, right = model.stft(mixture)[0].to(torch.complex128)
    found = []
    monkeypatch.setattr(model.stft, "inverse", lambda middle, time: found.append(middle) or torch.zeros(1, time))
    model(mixture)
    middle = found[0][0, 1:-1].to(torch.complex128)
    left, right = left[1:-1], right[1:-1]
    assert ((left - middle) * (right - middle).conj()).real.abs().max() < 1e-8
    assert (middle / (left + right)).imag.abs().max() < 1e-5
    roots = [
        np.roots([abs(total) ** 2, -(abs(total) ** 2), dot]).min()
        for total, dot in zip(
            (left + right).flatten()[:200].numpy(), (left * right.conj()).real.flatten()[:200].numpy(), strict=True
        )
    ]
    np.testing.assert_allclose((middle / (left + right)).real.flatten()[:200], roots, atol=1e-4)


@pytest.mark.parametrize("samples", [1, 63, 8001])
def test_any_length_adds_up_to_the_mixture(model: msbench.Separator, samples: int) -> None:
    mixture = noise(2, 2, samples)
    estimates = model(mixture)
    assert estimates.shape == (2, 2, 2, samples)
    torch.testing.assert_close(estimates.sum(1), mixture)
    assert torch.isfinite(model(mixture * torch.tensor([1.0, -1.0])[:, None])).all()
    assert not model(torch.zeros(1, 2, samples)).any()


def test_mono_is_refused(model: msbench.Separator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="centre takes the middle of 2 channels, and cannot work on 1"):
        msbench.load("centre", channels=1)
    with pytest.raises(ValueError, match="Centre compares the channels of stereo audio, and this is mono"):
        msbench.separate(model, noise(1, 8001), RATE)
    soundfile.write(tmp_path / "mono.wav", noise(8001).numpy(), RATE)
    assert main(["separate", "centre", str(tmp_path / "mono.wav"), "-o", str(tmp_path / "out")]) == 2
    assert "compares the channels of stereo audio" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.wav"))
