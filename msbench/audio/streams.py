"""Streams of samples at another rate: generators over float32 numpy arrays whose last axis is time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np


def resampled(blocks: Iterable[np.ndarray], from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """Resample blocks (..., frames) as one stream, exactly as `msbench.model.stft.resample` does the whole.

    Args:
        blocks: One array after another, of any number of frames.
        from_rate, to_rate: In Hz.

    Returns:
        Blocks of other sizes, in all ceil(frames * to_rate / from_rate) frames.
    """
    if from_rate == to_rate:
        yield from blocks
        return
    import soxr

    taken = given = 0
    stream, shape = None, ()
    for block in blocks:
        rows = block.reshape(-1, block.shape[-1])
        if stream is None:
            stream, shape = soxr.ResampleStream(from_rate, to_rate, len(rows)), block.shape[:-1]
        resampled = stream.resample_chunk(np.ascontiguousarray(rows.T))
        taken, given = taken + rows.shape[-1], given + len(resampled)
        yield resampled.T.reshape(*shape, -1)
    if stream is None:
        return
    # What soxr holds back for its filter comes last, and its rounding may make that a sample too many or too few.
    rest = stream.resample_chunk(np.zeros((0, math.prod(shape)), np.float32), last=True)
    wanted = max(0, -(-taken * to_rate // from_rate) - given)
    rest = np.pad(rest[:wanted], ((0, max(0, wanted - len(rest))), (0, 0)))
    yield rest.T.reshape(*shape, -1)
