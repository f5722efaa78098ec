"""A song brought to zero mean and unit deviation before it is cut into chunks, and its estimates back.

As the package msst 0.1.0 does (msst/utils/audio_utils.py, `normalize_audio` and `denormalize_audio`), and demucs 4.1
(demucs/api.py, `separate_tensor`), for models that were trained on such songs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from msbench.audio.reading import BLOCK_FRAMES
from msbench.audio.spool import Spool

SMALLEST = float(np.finfo(np.float32).eps)  # deviation; a song below it is silence, and is not made louder


class NormalizedSong:
    """The blocks (1, C, frames) of a song, less the mean of all its samples and over the deviation of its mono mix.

    Both are known when the song has been read to its end. Until then it is kept on disk, so that memory stays flat.

    Attributes:
        mean, deviation: Of the song, once its first block has been given.
    """

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._blocks = blocks
        self.mean, self.deviation = 0.0, 1.0

    def __iter__(self) -> Iterator[np.ndarray]:
        with Spool() as spool:
            total = squares = 0.0
            for block in self._blocks:
                mono = block[0].mean(0, dtype=np.float64)
                total += mono.sum()
                squares += mono @ mono
                spool.write(block)
            samples = max(1, spool.samples)
            self.mean = total / samples
            deviation = math.sqrt(max(0.0, squares / samples - self.mean**2))
            self.deviation = deviation if deviation > SMALLEST else 1.0
            for start in range(0, spool.samples, BLOCK_FRAMES):
                block = spool.read(start, min(start + BLOCK_FRAMES, spool.samples))
                yield (block - np.float32(self.mean)) / np.float32(self.deviation)

    def restored(self, estimates: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Estimates (S, C, frames) of the normalized song at the song's own level."""
        for block in estimates:
            yield block * np.float32(self.deviation) + np.float32(self.mean)
