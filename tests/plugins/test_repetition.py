"""REPET, REPET-SIM and the 2-D Fourier transform: the estimates of nussl, at any length, in bounded memory."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.signal
import torch
from msbench_plugins import repetition

import msbench
from tests.plugins import nussl

RATE, HOP = 8000, 64  # a quarter of the 256 samples that hold 32 ms
NAMES = ("repet", "repet_sim", "ft2d")


def song(seconds: float = 5.001, channels: int = 2, period: float = 0.9, level: float = 0.2) -> torch.Tensor:
    """A loop of colored noise with a little noise that does not repeat, and a gliding tone: (C, T)."""
    random = np.random.default_rng(0)
    size = round(seconds * RATE)
    loop = random.standard_normal((channels, round(period * RATE))) * np.exp(-np.arange(round(period * RATE)) / 2000)
    loop = scipy.signal.lfilter([1], [1, -0.9], loop)
    background = np.tile(loop, math.ceil(seconds / period) + 1)[:, :size]
    time = np.arange(size) / RATE
    voice = np.sin(2 * np.pi * (300 * time + 20 * np.sin(2.1 * time))) * (np.sin(5 * time**1.3) > 0)
    return torch.tensor(0.1 * background + level * voice + 1e-3 * random.standard_normal((channels, size))).float()


def load(name: str, channels: int = 2, **options: float) -> msbench.Separator:
    return msbench.load(name, sample_rate=RATE, channels=channels, **options)


def decibels(signal: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(signal**2) / np.sum((signal - other) ** 2)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("seconds", "channels"), [(5.001, 2), (3.3, 1)])
def test_the_estimates_are_nussls(name: str, seconds: float, channels: int) -> None:
    mixture = song(seconds, channels)
    theirs = nussl.separate(name, mixture.double().numpy(), RATE)
    ours = load(name, channels)(mixture[None])[0].numpy()
    for i in range(2):
        assert decibels(theirs[i], ours[i]) > 90
    assert decibels(mixture.numpy(), ours[1]) < 20  # there is something to find


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("samples", [1, 63, 700, 19201])
def test_any_length_adds_up_to_the_mixture(name: str, samples: int) -> None:
    mixture = song()[None, :, :samples]
    estimates = load(name)(mixture)
    assert estimates.shape == (1, 2, 2, samples)
    assert torch.isfinite(estimates).all()
    torch.testing.assert_close(estimates.sum(1), mixture)


@pytest.mark.parametrize("name", NAMES)
def test_silence_is_silent_and_a_gap_does_no_harm(name: str) -> None:
    assert not load(name)(torch.zeros(1, 2, 30000)).any()
    mixture = song()[None].clone()
    mixture[..., 9000:15000] = 0
    estimates = load(name)(mixture)
    assert torch.isfinite(estimates).all()
    assert not estimates[..., 9500:14500].any()


@pytest.mark.parametrize(("name", "seconds"), [("repet", 2.3), ("repet_sim", 0.9)])
def test_a_song_too_short_to_repeat_is_accompaniment(name: str, seconds: float) -> None:
    mixture = song(seconds)[None]
    vocals, accompaniment = load(name)(mixture)[0]
    torch.testing.assert_close(accompaniment, mixture[0], atol=1e-6, rtol=0)
    assert vocals.abs().max() < 1e-6


def test_the_period_is_that_of_the_loop() -> None:
    mixture = song(12, period=1.2, level=0.01)
    rows, counts = load("repet").look(mixture)
    assert len(rows) == 1.2 * RATE / HOP
    rows, counts = load("repet", shortest_seconds=1.5, longest_seconds=4).look(mixture)
    assert len(rows) == 2.4 * RATE / HOP
    assert counts.sum() == 1 + math.ceil(mixture.shape[1] / HOP)  # each frame is in one list


@pytest.mark.parametrize("name", NAMES)
def test_voices_are_not_below_the_cutoff(name: str) -> None:
    """Of a tone of 60 Hz that comes and goes, nothing is voice unless the cutoff is lower."""
    time = torch.arange(4 * RATE) / RATE
    mixture = (0.1 * torch.sin(2 * torch.pi * 60 * time) * (torch.sin(7 * time**1.5) > 0) + 0.2 * song(4))[None]
    options = {"channels": 2, "sample_rate": RATE, "window_samples": 1024, "hop_samples": 256}
    low = [msbench.load(name, high_pass_hz=cutoff, **options)(mixture)[0, 0] for cutoff in (0.0, 100.0)]
    spectra = [torch.fft.rfft(voice).abs()[:, 4 * 55 : 4 * 65].mean() for voice in low]
    assert spectra[1] < 0.2 * spectra[0]


def test_similar_frames_are_the_highest_that_are_apart() -> None:
    similarity = torch.rand(50, 403, generator=torch.Generator().manual_seed(0))
    similarity[torch.arange(50), 100 + torch.arange(50)] = 2  # the frame itself
    for apart, most in ((7.4, 20), (90.0, 99), (0.0, 5), (500.0, 3)):
        columns, counts = repetition._peaks(similarity.clone(), 100, apart, most)
        for row, found, count in zip(similarity.double().numpy(), columns.tolist(), counts.tolist(), strict=True):
            assert found[:count] == nussl.peak_indices(row, most + 1, apart)[1:]


@pytest.mark.parametrize(("rate", "window"), [(1, 4), (8000, 256), (16000, 512), (44100, 2048)])
def test_the_window_holds_32_ms(rate: int, window: int) -> None:
    model = msbench.load("repet", sample_rate=rate, high_pass_hz=0.0)
    assert (model.stft.window_samples, model.stft.hop_samples) == (window, window // 4)
    assert load("repet", window_samples=1024, hop_samples=128).stft.hop_samples == 128


@pytest.mark.parametrize("name", NAMES)
def test_blocks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = song()[None]
    whole = load(name)(mixture)
    monkeypatch.setattr(repetition, "BLOCK", 20000)
    torch.testing.assert_close(load(name)(mixture), whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("repet", {"high_pass_hz": -1.0}, "high_pass_hz must be between 0 and half of sample_rate, not -1.0"),
        ("repet", {"shortest_seconds": 9.0}, "must be above 0 and at most longest_seconds, not 9.0 and 8.0"),
        ("repet_sim", {"apart_seconds": -1.0}, "apart_seconds must be at least 0, not -1.0"),
        ("repet_sim", {"most_frames": 1}, "most_frames must be at least 2, not 1"),
        ("ft2d", {"neighborhood": 1}, "neighborhood must be at least 2, not 1"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, options: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        load(name, **options)


MEASURE = """
import sys, torch, msbench
from msbench.system.memory import peak_bytes
model = msbench.load(sys.argv[1])
model(torch.rand(1, 2, 44100))
song = torch.rand(1, 2, 120 * 44100)
before = peak_bytes()
model(song)
print((peak_bytes() - before) / (3 * song.nbytes), model.song_memory)
"""


@pytest.mark.daily
@pytest.mark.parametrize("name", NAMES)
def test_a_song_takes_the_memory_that_is_said(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE, name], capture_output=True, text=True, check=True)
    taken, said = map(float, done.stdout.split())
    assert 0.5 * said < taken < said
