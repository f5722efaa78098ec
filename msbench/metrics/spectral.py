"""The L1 difference of magnitude spectrograms: what many models are trained on, as a score.

Conventions: estimates and references are (S, C, T), the result is (S,), 0 for equal magnitudes, linear and not in dB:
the lower, the better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from msbench.metrics.signals import checked, pairs

WINDOW, HOP = 2048, 1024  # samples
FRAMES = 64  # STFT columns at a time


def l1_spectrogram(estimates: Any, references: Any) -> np.ndarray:
    """Mean of | |S'| - |S| | over channels, bins and frames (the L1,1 norm of Jansson et al. 2017).

    S is the STFT with a periodic Hann window of 2048 samples and a hop of 1024, divided by the sum of the window: a
    sine of amplitude A peaks at A / 2. Frames lie within the signal; one shorter than a window is padded with zeros.

    Raises:
        ValueError: If the shapes differ or a sample is not finite.

    >>> l1_spectrogram(np.ones((1, 1, 4096)), np.ones((1, 1, 4096))).tolist()
    [0.0]
    """
    estimates, references = checked(estimates, references)
    length = references.shape[-1]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    window /= window.sum()
    frames = max(1, (length - WINDOW) // HOP + 1)
    total = np.zeros(references.shape[0])
    for first in range(0, frames, FRAMES):
        last = min(first + FRAMES, frames)
        part = slice(first * HOP, min((last - 1) * HOP + WINDOW, length))
        ((estimate, reference),) = pairs(estimates[..., part], references[..., part], (FRAMES + 1) * HOP)
        magnitudes = [_magnitudes(signals, window) for signals in (estimate, reference)]
        total += np.abs(magnitudes[0] - magnitudes[1]).sum(axis=(1, 2, 3))
    return total / (references.shape[1] * frames * (WINDOW // 2 + 1))


def _magnitudes(signals: np.ndarray, window: np.ndarray) -> np.ndarray:
    """(S, C, n) to (S, C, frames, bins)."""
    padded = np.pad(signals, ((0, 0), (0, 0), (0, max(0, WINDOW - signals.shape[-1]))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=-1)[..., ::HOP, :]
    return np.abs(scipy.fft.rfft(frames * window))
