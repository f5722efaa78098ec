"""Streams of samples: resampled, cut into overlapping chunks, and joined again by crossfades.

Generators over float32 numpy arrays whose last axis is time. But for `whole`, none holds more than a few chunks,
whatever the length.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

WINDOWS = ("crossfade", "triangle", "hann", "trapezoid")  # of `ChunkPlan`

Placed = tuple[int, np.ndarray]  # the first sample's position in the signal, and the samples (..., frames)


@dataclass(frozen=True)
class ChunkPlan:
    """Where chunks lie: one of `step + overlap` samples at each `step`, which is a multiple of `stride`.

    In an overlap, the outer quarter at each side has weight 0 (a guard: there a chunk lacks its context) and the
    inner half fades from one chunk to the next.

    Attributes:
        step, overlap, stride: In samples.
    """

    step: int
    overlap: int
    stride: int

    @classmethod
    def of(cls, chunk_seconds: float, overlap: float, sample_rate: int, stride: int) -> ChunkPlan:
        """Chunks of at most `chunk_seconds`, unless a stride is longer; `overlap` is a share of them, up to 0.5."""
        size = max(1, round(chunk_seconds * sample_rate))
        shared = int(size * overlap)
        step = max(stride, (size - shared) // stride * stride)
        return cls(step, min(shared, step), stride)  # at most two chunks overlap anywhere

    @classmethod
    def of_size(cls, size: int, overlap: float, stride: int) -> ChunkPlan:
        """Chunks of exactly `size` samples, at least a stride; they share at most `overlap` of them.

        Raises:
            ValueError: If a stride is longer.
        """
        if size < stride:
            raise ValueError(f"chunks of {size} samples cannot start at multiples of {stride}")
        step = min(-(-(size - int(size * overlap)) // stride), size // stride) * stride
        return cls(step, size - step, stride)

    @property
    def size(self) -> int:
        return self.step + self.overlap

    @cached_property  # at the first join: a chunk longer than the signal may be of any size
    def rise(self) -> np.ndarray:
        """Weights of the later chunk in a crossfade; one minus these are the earlier's."""
        fade = self.overlap // 2
        return (np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / max(fade, 1)) ** 2).astype(np.float32)


def chunks(blocks: Iterable[np.ndarray], plan: ChunkPlan) -> Iterator[Placed]:
    """Cut a stream (G, C, frames) into chunks.

    All are of one size. The last is moved back so that it too is full, but for less than a stride, as it must start on
    the grid: to a model, zeros after the end would not be the same as an end. A signal below a chunk is one chunk.
    """
    held: np.ndarray | None = None  # from the start of the chunk before on: the last one may reach back to there
    origin = start = 0
    for block in blocks:
        held = block if held is None else np.concatenate([held, block], axis=-1)
        # Strictly more than a chunk: what ends here may be the signal's end, and its last chunk lies otherwise.
        while origin + held.shape[-1] > start + plan.size:
            yield start, held[..., start - origin : start - origin + plan.size]
            held = held[..., start - origin :]
            origin, start = start, start + plan.step
    assert held is not None  # a source without samples has raised
    last = max(0, -(-(origin + held.shape[-1] - plan.size) // plan.stride) * plan.stride)
    yield last, held[..., last - origin :]


def whole(blocks: Iterable[np.ndarray]) -> Iterator[Placed]:
    """A stream (G, C, frames) as a single chunk, held in memory once."""
    held = deque(blocks)
    song = np.empty((*held[0].shape[:-1], sum(block.shape[-1] for block in held)), np.float32)
    done = 0
    while held:
        block = held.popleft()
        song[..., done : done + block.shape[-1]] = block
        done += block.shape[-1]
    yield 0, song


def joined(estimates: Iterable[Placed], plan: ChunkPlan) -> Iterator[np.ndarray]:
    """Join the estimates of the chunks to one stream (S, C, frames)."""
    fade = plan.overlap // 2  # the other half of the overlap is left out, a quarter at each side
    tail: np.ndarray | None = None  # of the chunk before: what is not given out yet, from sample `begin` on
    begin = 0
    for start, estimate in estimates:
        if tail is not None:
            # In the middle of what the two share: the farthest from the ends of both.
            middle = (start + begin + tail.shape[-1] - fade) // 2
            yield tail[..., : middle - begin]
            old = tail[..., middle - begin : middle - begin + fade]
            new = estimate[..., middle - start :]
            yield old + plan.rise * (new[..., :fade] - old)  # exactly `old` where both agree
            tail, begin = new[..., fade:], middle + fade
        else:
            tail, begin = estimate, start
    if tail is not None:
        yield tail


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
