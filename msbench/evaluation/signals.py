"""The sources of a track as one signal that is read where it is sliced, so that none is ever in memory whole."""

from __future__ import annotations

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
