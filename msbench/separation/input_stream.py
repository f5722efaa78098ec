"""Audio on its way into the pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class InputStream:
    """Audio that comes in blocks.

    Attributes:
        blocks: Float arrays (C, any number of frames) in order, or (1 + S, C, frames), the mixture first, for an
            oracle. They are taken one at a time, as they are needed.
        sample_rate: In Hz.
        channels: Number of channels.
        seconds: Duration, where it is known.
        name: What an error calls the audio.
    """

    blocks: Iterable[np.ndarray]
    sample_rate: int
    channels: int
    seconds: float | None = None
    name: str = "the mixture"

    def __post_init__(self) -> None:
        if self.sample_rate < 1:
            raise ValueError(f"sample_rate must be at least 1, not {self.sample_rate}")


class CheckedBlocks:
    """The blocks of a stream as (G, C, frames), checked and counted while they pass.

    Attributes:
        samples: How many have passed.
        ended: Whether there are no more; then `samples` is the length, whatever a header said.
    """

    def __init__(self, stream: InputStream) -> None:
        self._stream = stream
        self.samples = 0
        self.ended = False

    def __iter__(self) -> Iterator[np.ndarray]:
        stream = self._stream
        for given in stream.blocks:
            block = np.asarray(given, dtype=np.float32)[(None,) * (3 - np.ndim(given))]
            if block.shape[1] != stream.channels:
                raise ValueError(f"{stream.name} has a block {np.shape(given)}, not ({stream.channels}, frames)")
            # One NaN would spread over all that resampling and the model make of its surroundings.
            finite = np.isfinite(block)
            if not finite.all():
                at = self.samples + int(np.argmin(finite.all(axis=(0, 1))))
                raise ValueError(
                    f"{stream.name} has NaN or infinite samples, the first at {at / stream.sample_rate:.3f} s: "
                    "repair it or cut them out"
                )
            self.samples += block.shape[-1]
            yield block
        if self.samples == 0:
            raise ValueError(f"{stream.name} has zero length: give audio with at least one sample")
        self.ended = True
