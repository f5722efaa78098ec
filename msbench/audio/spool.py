"""Audio that is kept on disk for a while, so that none is ever in memory whole."""

from __future__ import annotations

import tempfile

import numpy as np


class Spool:
    """Blocks (S, C, n) in float32, written one after the other to a nameless file in TMPDIR, and read anywhere."""

    def __init__(self, sources: int, channels: int) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by __exit__
        self._frame = (sources, channels)
        self.samples = 0

    def write(self, block: np.ndarray) -> None:
        """Append a block.

        Raises:
            OSError: If the disk is full.
        """
        try:
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

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
