"""STOI and PESQ, for voices: by pystoi and pesq (the extra `msbench[perceptual]`).

Conventions: estimates and references are (S, C, T), the result is (S,). The mean of the channels is scored in windows
of 10 s, within the 8 to 30 s that PESQ is made for, and the median over windows is the score: a window in which the
library finds too little voice in the reference is left out, and where none is left the score is NaN. What remains at
the end is a window if it is at least half as long, or the only one.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from msbench.metrics.signals import checked, pairs

WINDOW_SECONDS = 10
PESQ_FLOOR = 0.999 + 4 / (1 + np.exp(1.3669 * 0.5 + 3.8224))  # of a raw score of -0.5: pesq has none for silence


def stoi(estimates: Any, references: Any, sample_rate: int) -> np.ndarray:
    """Short-time objective intelligibility, 0 to 1 (Taal et al. 2011), at 10 kHz.

    Args:
        estimates: (S, C, T).
        references: (S, C, T).
        sample_rate: In Hz.

    Raises:
        ValueError: If the shapes differ or a sample is not finite.
        ModuleNotFoundError: If pystoi is not installed.
    """
    require_library("pystoi")
    from pystoi import stoi as score

    def window(estimate: np.ndarray, reference: np.ndarray) -> float:
        if not reference.any():
            return np.nan  # pystoi would give 0
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                return float(score(reference, estimate, sample_rate))
            except (RuntimeWarning, ValueError):  # too few frames that sound: pystoi would give 1e-5, or fails
                return np.nan

    return _windowed(window, estimates, references, sample_rate)


def pesq(estimates: Any, references: Any, sample_rate: int) -> np.ndarray:
    """Wide-band PESQ as MOS-LQO, about 1 to 4.6 (ITU-T P.862.2), at 16 kHz; a silent window of an estimate has the
    floor of the scale, 1.04.

    Args:
        estimates: (S, C, T).
        references: (S, C, T).
        sample_rate: In Hz.

    Raises:
        ValueError: If the shapes differ or a sample is not finite.
        ModuleNotFoundError: If pesq is not installed.
    """
    require_library("pesq")
    import soxr
    from pesq import PesqError
    from pesq import pesq as score

    def window(estimate: np.ndarray, reference: np.ndarray) -> float:
        if not reference.any():
            return np.nan
        if not estimate.any():
            return PESQ_FLOOR
        resampled = [soxr.resample(signal, sample_rate, 16000) for signal in (reference, estimate)]
        value = float(score(16000, *resampled, "wb", on_error=PesqError.RETURN_VALUES))
        return value if value > 0 else np.nan  # negative: too short, or nothing said

    return _windowed(window, estimates, references, sample_rate)


def require_library(library: str) -> None:
    """Raise ModuleNotFoundError if "pystoi" or "pesq" is not installed."""
    if importlib.util.find_spec(library) is None:
        raise ModuleNotFoundError(f"{library} is not installed: pip install 'msbench[perceptual]'")


def _windowed(
    window: Callable[[np.ndarray, np.ndarray], float], estimates: Any, references: Any, sample_rate: int
) -> np.ndarray:
    estimates, references = checked(estimates, references)
    samples = WINDOW_SECONDS * sample_rate
    scores: list[list[float]] = [[] for _ in range(references.shape[0])]
    for start in range(0, references.shape[-1], samples):
        part = slice(start, start + samples)
        ((estimate, reference),) = pairs(estimates[..., part], references[..., part], samples)
        if start > 0 and reference.shape[-1] < samples / 2:
            break
        for values, *signals in zip(scores, estimate.mean(axis=1), reference.mean(axis=1), strict=True):
            values.append(window(*signals))
    known = [[value for value in values if not np.isnan(value)] for values in scores]
    return np.array([np.median(values) if values else np.nan for values in known])
