"""What the metrics other than BSSEval take: estimates and references (S, C, T), checked and read block by block.

S sources, C channels, T samples. Each is an array, a tensor, or anything with that `shape` whose `[..., a:b]` is an
array, such as a reader of files: nothing here holds more than a block, whatever the track's length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

BLOCK_SAMPLES = 2**15  # of four stereo stems and their errors, as many as a processor's cache holds


def checked(estimates: Any, references: Any) -> tuple[Any, Any]:
    """Both as something to slice.

    Raises:
        ValueError: If their shapes differ, are not (S, C, T), or hold nothing.
    """
    estimates, references = readable(estimates), readable(references)
    shape = tuple(references.shape)
    if tuple(estimates.shape) != shape:
        raise ValueError(f"estimates and references differ in shape: {tuple(estimates.shape)} and {shape}")
    if len(shape) != 3 or 0 in shape:
        raise ValueError(f"estimates must be (source, channel, time) with at least one sample, not {shape}")
    return estimates, references


def readable(signals: Any) -> Any:
    """Tensors and lists as arrays; what has a shape is sliced as it is."""
    if hasattr(signals, "detach"):
        return signals.detach().cpu().numpy()
    return signals if hasattr(signals, "shape") else np.asarray(signals)


def blocks(signals: Any, samples: int = BLOCK_SAMPLES, name: str = "signals") -> Iterator[np.ndarray]:
    """Float64 arrays (S, C, at most `samples`), in order.

    Raises:
        ValueError: If a sample is NaN or infinite.
    """
    for start in range(0, signals.shape[-1], samples):
        block = np.asarray(signals[..., start : start + samples], dtype=np.float64)
        finite = np.isfinite(block)
        if not finite.all():
            source, _, sample = np.argwhere(~finite)[0]
            raise ValueError(f"{name}[{source}] holds NaN or infinity at sample {start + sample}")
        yield block


def pairs(estimates: Any, references: Any, samples: int = BLOCK_SAMPLES) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of the estimates and of the references, side by side.

    Raises:
        ValueError: As `checked` and `blocks`.
    """
    estimates, references = checked(estimates, references)
    yield from zip(blocks(estimates, samples, "estimates"), blocks(references, samples, "references"), strict=True)
