"""A song separated several times over, each time shifted or turned otherwise, for the mean of the estimates."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from msbench.audio.spool import Spool
from msbench.model.separator import Separator
from msbench.separation.inference import Inference

SHIFT_SECONDS = 0.5  # at most, as in demucs/apply.py

Blocks = Iterable[np.ndarray]


@dataclass(frozen=True)
class Pass:
    """How a song is changed before it is separated, and its estimates back.

    Attributes:
        delay: Samples of silence in front of it.
        change: Name of what is done to the waveform, one of `Inference.tta`; "" for nothing.
    """

    delay: int = 0
    change: str = ""

    def changed(self, blocks: Blocks) -> Iterator[np.ndarray]:
        """The song (G, C, frames) as the model is given it."""
        waiting = self.delay
        for block in blocks:
            if waiting:
                yield np.zeros((*block.shape[:-1], waiting), np.float32)
                waiting = 0
            yield self._turned(block)

    def restored(self, blocks: Blocks) -> Iterator[np.ndarray]:
        """The estimates (S, C, frames) of the song as it was."""
        left = self.delay
        for block in blocks:
            kept = block[..., left:]
            left -= block.shape[-1] - kept.shape[-1]
            if kept.shape[-1]:
                yield self._turned(kept)

    def _turned(self, block: np.ndarray) -> np.ndarray:
        if self.change == "swap":
            return np.ascontiguousarray(block[:, ::-1])
        return -block if self.change == "polarity" else block


def passes_of(model: Separator, channels: int, inference: Inference) -> list[Pass]:
    """The passes of a separation, in their order.

    The delays are uniform from zero to half a second, as those of demucs 4.1 (demucs/apply.py): it puts silence before
    the song, separates the whole, and cuts the silence off again.

    Raises:
        ValueError: If channels are to be exchanged and there are not two.
    """
    if "swap" in inference.tta and not channels == model.channels == 2:
        raise ValueError(
            f"tta swap exchanges left and right, and the audio has {channels} channel(s), of which "
            f"{type(model).__name__} takes {model.channels} at a time: leave swap out"
        )
    drawn = random.Random(0)  # always the same ones, so that a separation can be repeated
    longest = int(SHIFT_SECONDS * model.sample_rate)
    delays = [longest - drawn.randint(0, longest) for _ in range(inference.shifts)] or [0]
    return [Pass(delay, change) for change in ("", *inference.tta) for delay in delays]


def averaged(song: Blocks, passes: Sequence[Pass], separated: Callable[[Blocks], Blocks]) -> Iterator[np.ndarray]:
    """The mean of the estimates over all passes, which go through the song side by side.

    Args:
        song: Blocks (G, C, frames).
        passes: What is done to it.
        separated: Gives the estimates (S, C, frames) of a song, in blocks of any size.
    """
    if len(passes) == 1:
        yield from passes[0].restored(separated(passes[0].changed(song)))
        return
    with Spool() as spool:
        source = iter(song)
        streams = [each.restored(separated(each.changed(spool.copy(source)))) for each in passes]
        for blocks in aligned(streams):
            mean = blocks[0].copy()
            for count, block in enumerate(blocks[1:], 2):
                mean += (block - mean) / count  # exactly the value where all agree
            yield mean


def aligned(streams: Sequence[Iterator[np.ndarray]]) -> Iterator[list[np.ndarray]]:
    """Streams (..., frames) of one length, in blocks of any sizes, as the blocks of all that span the same frames."""
    held = [np.zeros(0, np.float32)] * len(streams)
    while True:
        for i, stream in enumerate(streams):
            while not held[i].shape[-1]:
                block = next(stream, None)
                if block is None:  # and so have the others, as all are of one length
                    return
                held[i] = block
        frames = min(block.shape[-1] for block in held)
        yield [block[..., :frames] for block in held]
        held = [block[..., frames:] for block in held]
