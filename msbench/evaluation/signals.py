"""The sources of a track as one signal that is read where it is sliced, so that none is ever in memory whole."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

Read = Callable[[int, int], np.ndarray]  # (start, stop) -> (S, C, stop - start)


class Signals:
    """Sources (S, C, T) in float32, for the metrics: `signals[..., a:b]` reads.

    Args:
        shape: (S, C, T) of what `read` gives.
        read: Reads samples start to stop.
        names: What an error calls each source, such as its file.
        sample_rate: In Hz.
        mixture: Reads (1, C, n) of the mixture; where given, what it holds beyond the sources is one more source.
    """

    def __init__(
        self, shape: tuple[int, int, int], read: Read, names: list[str], sample_rate: int, mixture: Read | None = None
    ) -> None:
        self.shape = (shape[0] + (mixture is not None), *shape[1:])
        self._read, self._names, self._rate, self._mixture = read, names, sample_rate, mixture

    def __getitem__(self, key: tuple[Any, slice]) -> np.ndarray:
        """The samples of a slice of time.

        Raises:
            ValueError: If one of them is NaN or infinite.
        """
        start, stop, _ = key[-1].indices(self.shape[-1])
        block = self._read(start, stop)
        finite = np.isfinite(block)
        if not finite.all():
            source, _, sample = np.argwhere(~finite)[0]
            seconds = (start + int(sample)) / self._rate
            raise ValueError(f"{self._names[source]} holds NaN or infinity at {seconds:.3f} s: write it again")
        if self._mixture is None:
            return block
        return np.concatenate([block, self._mixture(start, stop) - block.sum(axis=0, keepdims=True)])


class TimeFirst:
    """The same signals as (S, T, C), for `bss_eval`: `[:, a:b]` reads."""

    def __init__(self, signals: Signals) -> None:
        sources, channels, samples = signals.shape
        self._signals, self.shape = signals, (sources, samples, channels)

    def __getitem__(self, key: tuple[Any, slice]) -> np.ndarray:
        return self._signals[key].transpose(0, 2, 1)


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
            raise OSError(
                f"cannot keep estimates in {where} ({error.strerror}): set TMPDIR to another folder"
            ) from error
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
