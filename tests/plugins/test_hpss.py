"""Harmonic-percussive separation: librosa's masks and estimates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import msbench
from tests.requirements import peer

RATE = 8000
SMALL = {"sample_rate": RATE, "window_samples": 512, "hop_samples": 128}


def clicks_and_tones(seconds: float = 3.0) -> tuple[torch.Tensor, torch.Tensor]:
    """(T,) each: short bursts of noise, and a chord that stays."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(round(seconds * RATE)) / RATE
    bursts = 0.3 * torch.randn(len(time), generator=generator) * torch.exp(-100 * (time % 0.5))
    return bursts, 0.1 * sum(torch.sin(2 * torch.pi * pitch * time) for pitch in (330.0, 415.0, 1245.0))


def decibels(signal: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(signal**2) / np.sum((signal - other) ** 2)))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"frames": 17, "bins": 5}, {"kernel_size": (17, 5)}),
        ({"power": 1.0, "margin": 3.0}, {"power": 1.0, "margin": (1.0, 3.0)}),
    ],
)
def test_the_estimates_are_librosas(ours: dict[str, float], theirs: dict[str, object]) -> None:
    librosa = peer("librosa")
    mixture = sum(clicks_and_tones()).numpy()
    mixture[9000:12000] = 0
    spectrum = librosa.stft(mixture, n_fft=512, hop_length=128)
    _, percussive = librosa.decompose.hpss(spectrum, **theirs)
    expected = librosa.istft(percussive, n_fft=512, hop_length=128, length=len(mixture))
    model = msbench.load("hpss", channels=1, **SMALL, **ours)
    estimate = model(torch.from_numpy(mixture)[None, None])[0, 0, 0].numpy()
    # librosa leaves out the last samples' frames, ours covers them all
    assert decibels(expected[:-512], estimate[:-512]) > 80


def test_bursts_are_drums_and_a_chord_is_harmonic() -> None:
    bursts, chord = clicks_and_tones()
    drums, harmonic = msbench.load("hpss", channels=1, harmonic=True, **SMALL)((bursts + chord)[None, None])[0]
    assert decibels(bursts.numpy(), drums[0].numpy()) > 10
    assert decibels(chord.numpy(), harmonic[0].numpy()) > 10


@pytest.mark.parametrize("samples", [1, 63, 24001])
def test_any_length_adds_up_to_the_mixture(samples: int) -> None:
    mixture = torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(0))
    model = msbench.load("hpss", harmonic=True, **SMALL)
    estimates = model(mixture)
    torch.testing.assert_close(estimates.sum(1), mixture)
    assert torch.equal(model(mixture[1:, 1:].expand(1, 2, samples))[0, 0, 0], estimates[1, 0, 1])
    assert not model(torch.zeros(1, 2, samples)).any()
    assert msbench.load("hpss", **SMALL).targets == ["drums"]


def test_chunks_give_what_the_whole_gives() -> None:
    """The medians look at 0.18 s to each side, and 0.6 s of a chunk are left out of the estimate."""
    mixture = sum(clicks_and_tones(25.0))
    model = msbench.load("hpss", channels=1, sample_rate=RATE, window_samples=256, hop_samples=64)
    whole = model(mixture[None, None])[0, 0].numpy()
    np.testing.assert_allclose(msbench.separate(model, mixture, RATE)["drums"].numpy(), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"frames": 30}, "frames, the length of a median filter, must be odd and at least 1, not 30"),
        ({"bins": -1}, "bins, the length of a median filter, must be odd and at least 1, not -1"),
        ({"power": 0.0}, "power must be above 0, not 0.0"),
        ({"margin": 0.5}, "margin must be at least 1, not 0.5"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        msbench.load("hpss", **options)
