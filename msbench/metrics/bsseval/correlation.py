"""Short correlations of a track, block by block: all that BSSEval needs to know of the audio.

Signals are channels (source and channel flattened): R of the references, then E of the estimates. The correlations of
a stretch of audio are an array (R, R + E, lags) with ``c[i, j, k] = sum over n of x_i[n] x_j[n + k]``, the stretch
being silent outside itself. Lags are never negative: those are found at ``c[j, i]``.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice
from operator import iadd
from typing import TYPE_CHECKING, Any

import numpy as np

from msbench.system.threads import processors

if TYPE_CHECKING:
    import torch

BLOCKS = 32  # FFT blocks in one piece of audio: what one thread has in hand
ROWS = 4096  # samples copied at a time, for the cache
GLANCE = 64  # samples that nearly always tell that a signal is not silent, or not another's copy


@dataclass
class Stretch:
    """What is known of one stretch of audio.

    Attributes:
        correlations: (R, R + E, lags), see above.
        energies: (R + E,), the energy of each channel.
        silent: (2 S,), sources of the references, then of the estimates, whose channels sum to zero at every sample.
        same: (R, R), which reference channels are equal, sample by sample.
    """

    correlations: np.ndarray
    energies: np.ndarray
    silent: np.ndarray
    same: np.ndarray

    def __iadd__(self, other: Stretch) -> Stretch:
        self.correlations += other.correlations
        self.energies += other.energies
        self.silent &= other.silent
        self.same &= other.same
        return self


class StretchFile:
    """Stretches on disk, so that memory does not grow with the track: a second of four stereo stems is half a MiB."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by __exit__
        self._rest: list[Stretch] = []
        self._shape: tuple[int, ...] = ()

    def put(self, stretch: Stretch) -> None:
        """Append a stretch.

        Raises:
            OSError: If the disk is full.
        """
        try:
            self._file.write(stretch.correlations.data)
            self._file.flush()
        except OSError as error:
            where = tempfile.gettempdir()
            raise OSError(
                f"cannot keep correlations in {where} ({error.strerror}): set TMPDIR to another folder"
            ) from error
        self._shape = stretch.correlations.shape
        rest = (stretch.energies.copy(), stretch.silent.copy(), stretch.same.copy())
        self._rest.append(Stretch(np.empty(0), *rest))

    def first(self, count: int) -> Iterator[Stretch]:
        """The first `count` stretches, as they were put."""
        self._file.seek(0)
        for rest in self._rest[:count]:
            correlations = np.empty(self._shape)
            self._file.readinto(correlations.data)
            yield replace(rest, correlations=correlations)

    def __enter__(self) -> StretchFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


class Correlator:
    """Reads references and estimates in pieces and correlates them in threads.

    Reading stays in the calling thread, in order, so that a reader may be a plain file. Memory depends on the number of
    channels, lags and workers, not on the track.

    Args:
        references: Anything of ``shape`` (S, T, C) whose ``[:, a:b]`` is an array: numpy, a memory map, a reader.
        estimates: The same, of the same shape.
        lags: Number of lags, from 0.
        workers: Threads.
        device: Where torch correlates (`cuda`); numpy does, on the CPU, when None.
    """

    def __init__(
        self, references: Any, estimates: Any, lags: int, workers: int, device: str | torch.device | None = None
    ) -> None:
        self.references, self.estimates, self.device = references, estimates, device
        self.lags, self.workers = lags, workers
        self.fft = 2 ** int(np.ceil(np.log2(4 * lags)))
        self.block = self.fft - lags + 1
        self._work = threading.local()  # arrays used over and over: fresh memory costs more than the sums in it

    def stretches(self, spans: Iterable[tuple[int, int]]) -> Iterator[Stretch]:
        """The correlations of each span (start, stop), in order."""
        pieces: deque[int] = deque()

        def jobs() -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
            for start, stop in spans:
                starts = range(start, stop, BLOCKS * self.block)
                pieces.append(len(starts))
                for a in starts:
                    b = min(a + starts.step, stop)
                    yield *self.read(a, min(b + self.lags - 1, stop)), b - a

        results = in_order(self._piece, jobs(), self.workers)
        for first in results:
            yield reduce(iadd, islice(results, pieces.popleft() - 1), first)

    def edges(self, cuts: Iterable[int]) -> np.ndarray | int:
        """Correlations across the cuts, summed: what the stretches on both sides miss. (R, R + E, lags).

        No stretch but the last may be shorter than the lags.
        """
        reach = self.lags - 1
        channels = 2 * self.references.shape[0] * self.references.shape[2]

        def job(group: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            after = np.stack(group)
            before = after[:, :reach, : after.shape[2] // 2].copy()
            after[:, :reach] = 0
            return before, after

        def jobs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            group = []
            for cut in cuts if reach else ():
                group.append(flatten(*self.read(cut - reach, cut + reach), out=np.empty((self.fft, channels))))
                if len(group) == BLOCKS:
                    yield job(group)
                    group = []
            if group:
                yield job(group)

        return sum(in_order(self._correlate, jobs(), self.workers))

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Samples start to stop of the references and the estimates."""
        return self.references[:, start:stop], self.estimates[:, start:stop]

    def _piece(self, references: np.ndarray, estimates: np.ndarray, length: int) -> Stretch:
        """Correlates the first `length` samples of the references with everything."""
        blocks = -(-length // self.block)
        half = references.shape[0] * references.shape[2]
        signals = self._array("signals", (BLOCKS * self.block + self.lags - 1, 2 * half))
        signals = flatten(references, estimates, out=signals[: blocks * self.block + self.lags - 1])
        step, channel = signals.strides
        y = np.lib.stride_tricks.as_strided(
            signals, (blocks, self.fft, 2 * half), (step * self.block, step, channel), writeable=False
        )
        x = y[:, : self.block, :half]
        if len(references[0]) > length and length % self.block:
            x = x.copy()  # the samples past the piece are there for y alone
            x[-1, length % self.block :] = 0
        body = signals[:length]
        return Stretch(
            correlations=self._correlate(x, y),
            energies=np.einsum("tc,tc->c", body, body),
            silent=np.array([_is_silent(s[:length]) for s in (*references, *estimates)]),
            same=_equal_channels(body[:, :half]),
        )

    def _correlate(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """x (blocks, up to fft - lags + 1, R) and y (blocks, fft, R + E), sum over the blocks: (R, R + E, lags)."""
        if self.device is not None:
            return self._correlate_by_torch(x, y)
        blocks, _, inputs = x.shape
        outputs, bins = y.shape[2], self.fft // 2 + 1
        left = self._array("left", (BLOCKS, bins, inputs), complex)[:blocks]
        right = self._array("right", (BLOCKS, bins, outputs), complex)[:blocks]
        products = self._array("products", (bins, inputs, outputs), complex)
        spectrum = self._array("spectrum", (inputs, outputs, bins), complex)
        result = self._array("result", (inputs, outputs, self.fft))
        with np.errstate(over="ignore", invalid="ignore"):  # the energies tell
            # A correlation is a convolution with x backwards. The channels stay innermost, where BLAS wants them.
            _into(left, np.fft.rfft, x[:, ::-1], self.fft, 1)
            _into(right, np.fft.rfft, y, self.fft, 1)
            np.matmul(left.transpose(1, 2, 0), right.transpose(1, 0, 2), out=products)
            spectrum[...] = np.moveaxis(products, 0, -1)
            _into(result, np.fft.irfft, spectrum, self.fft, -1)
        return result[..., x.shape[1] - 1 :][..., : self.lags].copy()

    def _correlate_by_torch(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The same as `_correlate`, on the device."""
        import torch  # here, scoring by numpy starts faster without it

        left, right = (torch.tensor(signals, device=self.device) for signals in (x, y))
        left = torch.fft.rfft(left.flip(1), self.fft, dim=1).permute(1, 2, 0)
        right = torch.fft.rfft(right, dim=1).transpose(0, 1)
        result = torch.fft.irfft((left @ right).permute(1, 2, 0), self.fft)
        correlations: np.ndarray = result[..., x.shape[1] - 1 :][..., : self.lags].cpu().contiguous().numpy()
        return correlations

    def _array(self, name: str, shape: tuple[int, ...], dtype: type = float) -> np.ndarray:
        """This thread's array of that name."""
        if name not in vars(self._work):
            setattr(self._work, name, np.empty(shape, dtype))
        array: np.ndarray = getattr(self._work, name)
        return array


def flatten(references: np.ndarray, estimates: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Two (S, n, C) arrays into one (length, 2 S C), zeros past their end."""
    channels = [signal[:, c] for signal in (*references, *estimates) for c in range(signal.shape[1])]
    samples = len(channels[0])
    out[samples:] = 0
    for start in range(0, samples, ROWS):
        stop = min(start + ROWS, samples)
        for i, channel in enumerate(channels):
            out[start:stop, i] = channel[start:stop]
    return out


def _is_silent(signal: np.ndarray) -> bool:
    """museval's rule for (n, C): the channels sum to zero, so that opposite ones count as silence."""
    return not np.any(signal[:GLANCE].sum(axis=1)) and not np.any(signal.sum(axis=1))


def _equal_channels(signals: np.ndarray) -> np.ndarray:
    """Which of the channels of (n, R) are equal, at [i, j] with i < j."""
    head = signals[:GLANCE]
    same = np.triu((head[:, :, None] == head[:, None]).all(axis=0), 1)
    for i, j in np.argwhere(same):
        same[i, j] = np.array_equal(signals[:, i], signals[:, j])
    return same


def in_order(function: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], workers: int) -> Iterator[Any]:
    """function(*job) in threads, results in order, never more than a few jobs read ahead."""
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Any] = deque()
        for job in jobs:
            pending.append(pool.submit(function, *job))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def available_workers() -> int:
    """The threads this process may use: OMP_NUM_THREADS, else the cores that it may run on."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    if setting.isdigit() and int(setting):
        return int(setting)
    return processors()


def _into(out: np.ndarray, transform: Callable[..., np.ndarray], signals: np.ndarray, size: int, axis: int) -> None:
    """A transform of numpy's, written into an array that is there."""
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        transform(signals, size, axis=axis, out=out)
    else:
        out[...] = transform(signals, size, axis=axis)
