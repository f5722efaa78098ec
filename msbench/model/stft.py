"""Transforms shared by the models: the STFT and its inverse, and resampling."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

WINDOW_SUMS = {"hann": 1 / 2, "sine": 2 / math.pi, "rectangular": 1.0}  # of each window, per sample
LONGEST_WINDOW = 2**18  # samples, 6 s at 44.1 kHz: an option of a checkpoint may ask for any


def are_whole(*numbers: Any) -> bool:
    """Whether all are integers, numpy's among them: what a recipe or a checkpoint holds may be anything."""
    return all(isinstance(number, Integral) for number in numbers)


class STFT(nn.Module):
    """Short-time Fourier transform with an exact inverse, for any length of at least one sample.

    Frames centered on multiples of the hop, zeros beyond both ends. Scaled by the window's sum, so that a full-scale
    sine has a magnitude of about one half.

    Args:
        window_samples: Length of the window.
        hop_samples: Step between frames, below the window's length.
        plain: As `torch.stft` is by default, for weights that were trained on it: not scaled, mirrored beyond both
            ends, 1 + floor(T / hop) frames. A signal too short to be mirrored has zeros beyond its ends.
        window: `hann`; `sine`, its square root; or `rectangular`, which is torch's where it is given none.
        fft_samples: Length of the FFT, where the window is filled up with zeros; the window's when None.
        unitary: Scaled by one over the square root of the FFT's length, as with `torch.stft(normalized=True)`.

    Raises:
        ValueError: If the hop is not between 1 and the window's length less one (half the window where it is plain),
            the window or the FFT above the limit, the FFT shorter than the window, or the window's name unknown.
    """

    window: Tensor

    def __init__(
        self,
        window_samples: int,
        hop_samples: int,
        plain: bool = False,
        window: str = "hann",
        fft_samples: int | None = None,
        unitary: bool = False,
    ) -> None:
        super().__init__()
        fft_samples = window_samples if fft_samples is None else fft_samples
        if not are_whole(window_samples, hop_samples, fft_samples):
            raise ValueError("window_samples, hop_samples and fft_samples must be whole numbers")
        if window_samples > LONGEST_WINDOW:
            raise ValueError(f"window_samples must be at most {LONGEST_WINDOW}, not {window_samples}")
        if not window_samples <= fft_samples <= LONGEST_WINDOW:
            raise ValueError(
                f"fft_samples must be from {window_samples}, the window, to {LONGEST_WINDOW}, not {fft_samples}"
            )
        if not 0 < hop_samples < window_samples:
            raise ValueError(f"hop_samples must be between 1 and {window_samples - 1}, not {hop_samples}")
        if plain and hop_samples > window_samples // 2:
            raise ValueError(f"hop_samples must be at most {window_samples // 2}, half the window, not {hop_samples}")
        if window not in WINDOW_SUMS:
            raise ValueError(f"window must be one of {', '.join(WINDOW_SUMS)}, not '{window}'")
        self.window_samples = window_samples
        self.hop_samples = hop_samples
        self.plain = plain
        self.fft_samples = fft_samples
        hann = torch.hann_window(window_samples)
        shapes = {"hann": hann, "sine": hann.sqrt(), "rectangular": torch.ones(window_samples)}
        self.register_buffer("window", shapes[window], persistent=False)
        self.scale = 1.0 if plain else 1 / (WINDOW_SUMS[window] * window_samples)
        if unitary:
            self.scale = fft_samples**-0.5

    @property
    def bins(self) -> int:
        """Number of frequency bins, F."""
        return self.fft_samples // 2 + 1

    def forward(self, waveform: Tensor) -> Tensor:
        """(..., T) to complex (..., F, N) with N = 1 + ceil(T / hop) where the window is even, and it is not plain."""
        time = waveform.shape[-1]
        # Up to a whole hop: with a hop above half a window, the last samples would lie under no frame otherwise.
        padded = nn.functional.pad(waveform.reshape(-1, time), (0, 0 if self.plain else -time % self.hop_samples))
        # Half precision has no FFT on most devices, and autocast must not round phases either.
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torch.stft(
                padded.float(),
                self.fft_samples,
                self.hop_samples,
                self.window_samples,
                window=self.window,
                center=True,
                pad_mode="reflect" if self.plain and time > self.fft_samples // 2 else "constant",
                return_complex=True,
            )
        return (spectrum * self.scale).reshape(*waveform.shape[:-1], *spectrum.shape[-2:])

    def inverse(self, spectrum: Tensor, time: int) -> Tensor:
        """Complex (..., F, N) to (..., time)."""
        frames = spectrum.reshape(-1, *spectrum.shape[-2:])
        with torch.autocast(spectrum.device.type, enabled=False):
            waveform = torch.istft(
                frames.to(torch.complex64) / self.scale,
                self.fft_samples,
                self.hop_samples,
                self.window_samples,
                window=self.window,
                center=True,
                length=time,
            )
        return waveform.reshape(*spectrum.shape[:-2], time)


def resample(waveform: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Resample (channels, time) with soxr's high quality, to exactly ceil(time * to_rate / from_rate) samples."""
    if from_rate == to_rate:
        return waveform
    import soxr

    time = -(-waveform.shape[-1] * to_rate // from_rate)
    resampled = soxr.resample(np.ascontiguousarray(waveform.T), from_rate, to_rate).T[:, :time]
    return np.pad(resampled, ((0, 0), (0, time - resampled.shape[-1])))
