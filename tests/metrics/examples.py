"""Signals for the tests of metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from msbench.metrics.ratios import snr, track_sdr
from msbench.metrics.scale_invariant import si_sar, si_sdr, si_sir

RATIOS = [snr, track_sdr, si_sdr, si_sir, si_sar]


def signals(shape: tuple[int, int, int] = (3, 2, 70000), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Estimates that leak and are noisy, and references; longer than a block."""
    rng = np.random.default_rng(seed)
    references = 0.1 * rng.standard_normal(shape)
    return 0.7 * references + 0.2 * np.roll(references, 1, axis=0) + 0.01 * rng.standard_normal(shape), references


def tone(frequency: float, samples: int = 4800) -> np.ndarray:
    return np.cos(2 * np.pi * frequency * np.arange(samples) / samples)


def voice(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Bursts of a buzz: enough of a voice for STOI and PESQ."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).standard_normal(time.size)
    return 0.1 * buzz * (np.sin(2 * np.pi * 1.3 * time) > 0) + 1e-4 * noise


class Reader:
    """Signals that can be sliced in time alone, and say how much was asked for."""

    def __init__(self, signals: np.ndarray) -> None:
        self.signals, self.shape, self.longest = signals, signals.shape, 0

    def __getitem__(self, key: tuple[Any, slice]) -> Any:
        if key[0] is not Ellipsis:
            raise TypeError("sliced other than in time")
        found = self.signals[key]
        self.longest = max(self.longest, found.shape[-1])
        return found
