"""Audio that is kept on disk for a while, so that none is ever in memory whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np

from msbench.audio.reading import BLOCK_FRAMES


class Spool:
    """Blocks (S, C, n) in float32, written one after the other to a nameless file in TMPDIR, and read anywhere.

    Attributes:
        samples: How many have been written.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by __exit__
        self._frame: tuple[int, ...] = ()  # S and C
        self.samples = 0

    def write(self, block: np.ndarray) -> None:
        """Append a block.

        Raises:
            OSError: If the disk is full.
        """
        self._frame = block.shape[:2]
        try:
            self._file.seek(0, 2)
            self._file.write(np.ascontiguousarray(block.transpose(2, 0, 1), dtype=np.float32).data)
            self._file.flush()
        except OSError as error:
            where = tempfile.gettempdir()
            raise OSError(f"cannot keep audio in {where} ({error.strerror}): set TMPDIR to another folder") from error
        self.samples += block.shape[-1]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples start to stop, (S, C, n)."""
        block = np.empty((stop - start, *self._frame), np.float32)
        self._file.seek(start * block[:1].nbytes)
        self._file.readinto(block.data)
        return block.transpose(1, 2, 0)

    def copy(self, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """A copy of a stream that several take, each as fast as it likes: whoever is ahead writes what he takes.

        Args:
            blocks: The stream, the same one for all copies.
        """
        place = 0
        while True:
            if place == self.samples:
                block = next(blocks, None)
                if block is None:
                    return
                self.write(block)
            else:
                block = self.read(place, min(place + BLOCK_FRAMES, self.samples))
            place += block.shape[-1]
            yield block

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
