"""The STFT: inverted exactly at any length, and scaled so that levels can be read from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from msbench.model.stft import STFT, resample


@pytest.mark.parametrize("shape", ["hann", "sine", "rectangular"])
@pytest.mark.parametrize(("window", "hop"), [(64, 16), (64, 48)])
@pytest.mark.parametrize("time", [1, 47, 64, 1000, 1003])
def test_the_inverse_is_exact(shape: str, window: int, hop: int, time: int) -> None:
    signal = torch.randn(2, 3, time, generator=torch.Generator().manual_seed(0))
    stft = STFT(window, hop, window=shape)
    spectrum = stft(signal)
    assert spectrum.shape == (2, 3, stft.bins, 1 + math.ceil(time / hop))
    torch.testing.assert_close(stft.inverse(spectrum, time), signal, atol=1e-5, rtol=0)


def test_a_full_scale_sine_has_a_magnitude_of_a_half_in_any_window() -> None:
    sine = torch.sin(2 * torch.pi * torch.arange(8000) / 16)
    for window, shape in ((256, "hann"), (2048, "hann"), (256, "sine"), (256, "rectangular")):
        assert STFT(window, 64, window=shape)(sine).abs()[:, 60].max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("time", [1, 32, 33, 1000, 1003])
def test_a_plain_one_is_that_of_torch(time: int) -> None:
    signal = torch.randn(2, time, generator=torch.Generator().manual_seed(0))
    stft = STFT(64, 16, plain=True)
    pad_mode = "reflect" if time > 32 else "constant"
    expected = torch.stft(signal, 64, 16, window=torch.hann_window(64), pad_mode=pad_mode, return_complex=True)
    torch.testing.assert_close(stft(signal), expected)
    torch.testing.assert_close(stft.inverse(expected, time), signal, atol=1e-5, rtol=0)


@pytest.mark.parametrize("window", ["hann", "rectangular"])
def test_a_unitary_one_is_that_of_torch(window: str) -> None:
    signal = torch.randn(2, 1003, generator=torch.Generator().manual_seed(0))
    stft = STFT(64, 16, plain=True, window=window, unitary=True)
    shape = torch.hann_window(64) if window == "hann" else None
    expected = torch.stft(signal, 64, 16, window=shape, normalized=True, return_complex=True)
    torch.testing.assert_close(stft(signal), expected)
    torch.testing.assert_close(stft.inverse(expected, 1003), signal, atol=1e-5, rtol=0)


def test_half_precision_around_it_changes_nothing() -> None:
    signal, stft = torch.rand(1, 500), STFT(64, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(stft.inverse(stft(signal), 500), stft.inverse(stft(signal), 500).float())
        torch.testing.assert_close(stft.inverse(stft(signal), 500), signal, atol=1e-5, rtol=0)


def test_a_hop_that_leaves_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="window_samples must be at most 262144, not 262145"):
        STFT(2**18 + 1, 16)
    with pytest.raises(ValueError, match="window_samples, hop_samples and fft_samples must be whole"):
        STFT(64, 1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hop_samples must be between 1 and 63, not 64"):
        STFT(64, 64)
    with pytest.raises(ValueError, match="hop_samples must be at most 32, half the window, not 33"):
        STFT(64, 33, plain=True)
    with pytest.raises(ValueError, match="fft_samples must be from 64, the window, to 262144, not 63"):
        STFT(64, 16, fft_samples=63)
    with pytest.raises(ValueError, match="window must be one of hann, sine, rectangular, not 'hamming'"):
        STFT(64, 16, window="hamming")


def test_the_windows_are_scipys() -> None:
    from scipy.signal import get_window

    hann = torch.from_numpy(get_window("hann", 64)).float()
    torch.testing.assert_close(STFT(64, 16).window, hann)
    torch.testing.assert_close(STFT(64, 16, window="sine").window, torch.sin(torch.pi * torch.arange(64) / 64))


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44100, 8192), (8000, 44100), (8000, 8000)])
def test_resampled_length_is_exact(from_rate: int, to_rate: int) -> None:
    for time in (1, 999, 8000):
        resampled = resample(np.zeros((2, time), np.float32), from_rate, to_rate)
        assert resampled.shape == (2, math.ceil(time * to_rate / from_rate))
