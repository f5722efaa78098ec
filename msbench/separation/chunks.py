"""Songs cut into overlapping chunks, which `msbench.separation.joining` makes one stream of again.

Generators over float32 numpy arrays whose last axis is time. But for `whole`, none holds more than a few chunks,
whatever the length. There are three ways to cut, each with its windows:

- `crossfade` and `hann`: chunks start on the model's grid of strides, and the last one is moved back so that it is
  full. `crossfade` leaves out the outer quarter of an overlap at each side, where a chunk lacks its context, and fades
  over the rest, so that a model that looks at most that far gives what it gives on the whole. `hann` takes all of a
  chunk, by the weights of a Hann window.
- `triangle`, as demucs 4.1 does (demucs/apply.py): a chunk at each step until the song ends, the last ones shorter. A
  model that pads its input is given real audio there, and zeros beyond the song.
- `trapezoid`, as msst 0.1.0 does (msst/utils/model_utils.py, `demix`): the song is mirrored at both ends by what two
  chunks share, where it is longer than twice that, and a short chunk is filled by its own mirror image, or by zeros
  where it is below half of a chunk. An overlap of 1 - 1 / n is its `num_overlap: n`. Its chunks that begin behind the
  song are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from msbench.model.separator import Separator

WINDOWS = ("crossfade", "triangle", "hann", "trapezoid")

Placed = tuple[int, np.ndarray]  # the position of the first sample in the song, and the samples (..., frames)


class Piece(NamedTuple):
    """What the model is given of a song, and which part of the estimate is used.

    Attributes:
        start: Position in the song of the first sample of that part; negative before the song.
        samples: (G, C, n).
        before: Samples of the estimate in front of that part.
        frames: Length of that part.
    """

    start: int
    samples: np.ndarray
    before: int
    frames: int


def _as_they_are(frames: int) -> int:
    return frames


@dataclass(frozen=True)
class ChunkPlan:
    """Where chunks lie: one of `size` samples at each `step`.

    Attributes:
        size, step: In samples.
        stride: Chunks of `crossfade` and `hann` start at multiples of it.
        window: One of `WINDOWS`.
        given: How many samples the model is given for a chunk of so many.
    """

    size: int
    step: int
    stride: int = 1
    window: str = "crossfade"
    given: Callable[[int], int] = _as_they_are

    @classmethod
    def of(cls, model: Separator, chunk_seconds: float, overlap: float, window: str = "crossfade") -> ChunkPlan:
        """The plan for a model: chunks of `chunk_seconds`, or of the model's own length.

        Raises:
            ValueError: If the model's own length does not hold a stride.
        """
        fixed = model.chunk_samples
        size = max(1, round(chunk_seconds * model.sample_rate)) if fixed is None else fixed
        if window == "triangle":
            return cls(size, max(1, int((1 - overlap) * size)), 1, window, model.padded_length)
        if window == "trapezoid":
            count = round(1 / (1 - overlap))
            near = abs(1 - count * (1 - overlap)) < 0.01  # 0.667 is meant for 2 / 3
            return cls(size, max(1, size // count if near else int((1 - overlap) * size)), 1, window, lambda _: size)
        stride = model.stride_samples
        if fixed is not None:
            if size < stride:
                raise ValueError(f"chunks of {size} samples cannot start at multiples of {stride}")
            step = min(-(-(size - int(size * overlap)) // stride), size // stride) * stride
            return cls(size, step, stride, window, lambda _: size)
        shared = int(size * overlap)
        step = max(stride, (size - shared) // stride * stride)
        # Up to a half, at most two chunks overlap anywhere.
        return cls(step + min(shared, step) if overlap <= 0.5 else max(size, step), step, stride, window)

    @property
    def overlap(self) -> int:
        return self.size - self.step

    @property
    def of_two(self) -> bool:
        """Whether at most two chunks are heard at a time, one fading into the next."""
        return self.window == "crossfade" and self.overlap <= self.step

    @cached_property  # at the first join: a chunk longer than the song may be of any size
    def rise(self) -> np.ndarray:
        """Weights of the later of two chunks in a crossfade; one minus these are the earlier's."""
        fade = self.overlap // 2
        return (np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / max(fade, 1)) ** 2).astype(np.float32)

    def weights(self, frames: int, first: bool = False, last: bool = False) -> np.ndarray:
        """Of the first samples of a chunk where several are averaged.

        Args:
            frames: How many.
            first, last: Whether the chunk is the song's first, or last. There it lacks no context, so that `crossfade`
                and `hann` do not fade at that end.
        """
        place = np.arange(min(frames, self.size))
        left, right = place, self.size - 1 - place  # the distances from the ends
        if self.window in ("crossfade", "hann"):
            far = np.full_like(place, self.size)
            left, right = (far if first else left), (far if last else right)
        edge = np.minimum(self.size // 2, np.minimum(left, right))
        if self.window == "triangle":
            found = (edge + 1) / (self.size - self.size // 2)
        elif self.window == "trapezoid":
            found = np.minimum(1, edge / max(1, self.size // 10 - 1))
        elif self.window == "hann":
            found = np.sin(np.pi * np.minimum(0.5, (edge + 0.5) / self.size)) ** 2
        else:
            guard = self.overlap / 4
            fade = min(self.overlap / 2, self.size / 2 - guard)
            found = np.sin(np.pi / 2 * np.clip((edge + 0.5 - guard) / fade, 0, 1)) ** 2
        return found.astype(np.float32)


def chunks(blocks: Iterable[np.ndarray], plan: ChunkPlan) -> Iterator[Piece]:
    """Cut a song, a stream of blocks (G, C, frames), as the plan's window asks for."""
    ways = {"triangle": _each_step, "trapezoid": _mirrored}
    return ways.get(plan.window, _full)(blocks, plan)


def _full(blocks: Iterable[np.ndarray], plan: ChunkPlan) -> Iterator[Piece]:
    """Chunks of one size on the grid.

    The last is moved back so that it too is full, but for less than a stride, as it must start on the grid: to a model,
    zeros after the end would not be the same as an end. A song below a chunk is one chunk; to a model that takes one
    length alone it is given in the middle of zeros, as demucs does.
    """
    song, start = _Held(), 0
    for block in blocks:
        song.add(block)
        # Strictly more than a chunk: what ends here may be the song's end, and its last chunk lies otherwise.
        while song.end > start + plan.size:
            yield Piece(start, song.samples(start, start + plan.size), 0, plan.size)
            song.drop(start)  # the last chunk may reach back to here
            start += plan.step
    last = max(0, -(-(song.end - plan.size) // plan.stride) * plan.stride)
    samples = song.samples(last, song.end)
    frames = samples.shape[-1]
    missing = plan.given(frames) - frames
    before = missing // 2 if last == 0 else 0
    yield Piece(last, _padded(samples, before, missing - before), before, frames)


def _each_step(blocks: Iterable[np.ndarray], plan: ChunkPlan) -> Iterator[Piece]:
    """Chunks at each step until the end, with the audio around them where the model is given more."""
    song = _Held()
    start, widest = 0, plan.given(plan.size)
    for block in blocks:
        song.add(block)
        while song.end >= start + widest:  # enough, as more than half of what is given stands before that
            yield _with_context(song, start, plan.size, plan)
            start += plan.step
            song.drop(start - widest)
    for at in range(start, song.end, plan.step):
        yield _with_context(song, at, min(plan.size, song.end - at), plan)


def _with_context(song: _Held, start: int, frames: int, plan: ChunkPlan) -> Piece:
    given = plan.given(frames)
    before = (given - frames) // 2
    first = start - before
    found = song.samples(max(0, first), first + given)
    left = max(0, -first)
    return Piece(start, _padded(found, left, given - left - found.shape[-1]), before, frames)


def _mirrored(blocks: Iterable[np.ndarray], plan: ChunkPlan) -> Iterator[Piece]:
    """Chunks at each step of a song that is mirrored at both ends."""
    song, source, border = _Held(), iter(blocks), plan.overlap
    for block in source:
        song.add(block)
        if song.end > 2 * border:
            break
    lead = border if song.end > 2 * border else 0
    first = song.samples(0, song.end)
    song, start = _Held(), 0  # from here on, positions are those of the mirrored song
    song.add(first[..., lead:0:-1])
    for block in chain([first], source):
        song.add(block)
        while song.end >= start + plan.size:
            yield Piece(start - lead, song.samples(start, start + plan.size), 0, plan.size)
            start += plan.step
            song.drop(start - 1)  # the mirror image of the end begins there at the earliest
    end = song.end
    song.add(song.samples(end - 1 - lead, end - 1)[..., ::-1])
    for at in range(start, end, plan.step):
        samples = song.samples(at, at + plan.size)
        frames = samples.shape[-1]
        mirror = "reflect" if frames > plan.size // 2 else "constant"
        yield Piece(at - lead, _padded(samples, 0, plan.size - frames, mirror), 0, min(frames, end - at))


class _Held:
    """The part of a song that is still needed.

    It lies in one buffer, which soon has its size for good: arrays of ever other sizes would let memory grow with the
    song, as the system's allocator finds no gap for them.

    Attributes:
        end: Position behind its last sample.
    """

    def __init__(self) -> None:
        self.end = self._origin = self._first = 0  # of the song, and the place of the first in the buffer
        self._buffer: np.ndarray | None = None

    def add(self, block: np.ndarray) -> None:
        frames, held = block.shape[-1], self.end - self._origin
        if self._buffer is None:
            self._buffer = block.copy()
        elif self._first + held + frames > self._buffer.shape[-1]:
            buffer = self._buffer
            if held + frames > buffer.shape[-1] or self._first < held // 4:
                self._buffer = np.empty((*block.shape[:-1], held + max(held, frames)), np.float32)
            self._move(buffer, held)
        self._buffer[..., self._first + held : self._first + held + frames] = block
        self.end += frames

    def _move(self, buffer: np.ndarray, held: int) -> None:
        """To the front of the buffer, in parts, as numpy would copy the whole of what overlaps."""
        assert self._buffer is not None
        part = held if buffer is not self._buffer else min(held, self._first)
        for at in range(0, held, max(1, part)):
            stop = min(held, at + part)
            self._buffer[..., at:stop] = buffer[..., self._first + at : self._first + stop]
        self._first = 0

    def samples(self, first: int, last: int) -> np.ndarray:
        """A copy, from one position up to another, as far as they are held."""
        assert self._buffer is not None  # a source without samples has raised
        shift = self._first - self._origin
        return self._buffer[..., max(first, self._origin) + shift : max(first, min(last, self.end)) + shift].copy()

    def drop(self, before: int) -> None:
        """Forget what stands before a position."""
        if before > self._origin:
            self._first += before - self._origin
            self._origin = before


def _padded(samples: np.ndarray, before: int, after: int, mode: str = "constant") -> np.ndarray:
    if before == 0 and after == 0:
        return samples
    return np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(before, after)], mode=mode)  # type: ignore[call-overload]


def whole(blocks: Iterable[np.ndarray]) -> Iterator[Piece]:
    """A stream (G, C, frames) as a single chunk, held in memory once."""
    held = deque(blocks)
    song = np.empty((*held[0].shape[:-1], sum(block.shape[-1] for block in held)), np.float32)
    done = 0
    while held:
        block = held.popleft()
        song[..., done : done + block.shape[-1]] = block
        done += block.shape[-1]
    yield Piece(0, song, 0, done)
