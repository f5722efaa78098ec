"""Chunks: what a model is trained and validated on, cut from tracks at the model's rate and channel count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set

import numpy as np
import soxr
import torch
from torch.utils.data import Dataset, Sampler

from msbench.data.adapted import AdaptedTrack
from msbench.data.faults import BadTrack, Faults
from msbench.data.track import MIXTURE, Track
from msbench.separator import Batch


class _Cutter:
    """Tracks, and how one chunk is cut from one of them; the base of both datasets.

    Args:
        tracks: All with the same stems.
        targets: In the order of the references.
        sample_rate: The model's, in Hz.
        channels: The model's.
        chunk_seconds: Every chunk has exactly round(chunk_seconds * sample_rate) samples.

    Raises:
        ValueError: If there is no track, the chunk has no sample, or the channel count cannot be made.
    """

    def __init__(
        self, tracks: Sequence[Track], targets: Sequence[str], sample_rate: int, channels: int, chunk_seconds: float
    ) -> None:
        self.samples = round(chunk_seconds * sample_rate)
        if self.samples < 1:
            raise ValueError(f"chunk_seconds must be at least one sample long (1/{sample_rate} s), not {chunk_seconds}")
        if not tracks:
            raise ValueError("there are no tracks to cut chunks from")
        self.tracks = [AdaptedTrack(track, sample_rate, channels) for track in tracks]
        self.targets = tuple(targets)
        self.stems = tracks[0].stems
        self.parts = [[self.stems.index(part) for part in tracks[0].parts(target)] for target in targets]
        self.covering = tracks[0].covers(self.targets)
        self.channels = channels

    @property
    def read_targets(self) -> tuple[str, ...]:
        """What is read of each track."""
        return self.targets if self.covering else (*self.targets, MIXTURE)

    @property
    def bytes_in_memory(self) -> int:
        """What `hold` takes."""
        return sum(track.frames for track in self.tracks) * len(self.read_targets) * self.channels * 4

    def hold(self) -> None:
        """Decode and resample all tracks into memory."""
        for track in self.tracks:
            track.hold(self.read_targets)

    def cut(self, track: AdaptedTrack, start: int) -> Batch:
        """The chunk from `start` (samples at the model's rate): mixture (C, T), references (S, C, T)."""
        references = np.empty((len(self.targets), self.channels, self.samples), np.float32)
        for reference, target in zip(references, self.targets, strict=True):
            reference[:] = track.read(target, start, self.samples)
        # The sum saves a read, and is the mixture exactly where that file was coded apart from its stems.
        mixture = _sum(references) if self.covering else track.read(MIXTURE, start, self.samples).copy()
        return Batch(torch.from_numpy(mixture), torch.from_numpy(references))


def _sum(stems: np.ndarray) -> np.ndarray:
    """Over the first axis, in little more than half the time of `ndarray.sum`."""
    total: np.ndarray = stems[0].copy()
    for stem in stems[1:]:
        total += stem
    return total


class ChunkDataset(_Cutter, Dataset[Batch]):
    """Random chunks, each a function of (seed, its global number) alone.

    Which worker or rank makes a chunk, and what was made before it, changes nothing; so training resumes exactly. The
    song is drawn evenly from all songs, then the position evenly within it; a song shorter than a chunk ends in zeros.
    Each augmentation draws from its own numbers: switching one on leaves the others as they were.

    Where a track cannot be read, or holds NaN, the chunk is drawn anew from the others: a function of (seed, number,
    which tracks are bad there). `faults` keeps what was found, in any process.

    Args:
        tracks, targets, sample_rate, channels, chunk_seconds: As for `_Cutter`.
        seed: Not negative.
        remix: Draw each stem from a song of its own.
        gain_db: Range of a gain drawn for each stem, evenly in dB.
        channel_swap: Swap the channels of each stem with a chance of one half.
        polarity: Turn each stem's sign with a chance of one half.
        speed: Range of a factor drawn evenly for each song: its stems are played so much faster, and higher.
        strict: Raise the error of a bad track instead.

    Raises:
        ValueError: As for `_Cutter`; or if the seed is negative or a range is empty or below nought.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        chunk_seconds: float,
        *,
        seed: int = 0,
        remix: bool = False,
        gain_db: tuple[float, float] | None = None,
        channel_swap: bool = False,
        polarity: bool = False,
        speed: tuple[float, float] | None = None,
        strict: bool = False,
    ) -> None:
        super().__init__(tracks, targets, sample_rate, channels, chunk_seconds)
        if seed < 0:
            raise ValueError(f"seed must not be negative, but it is {seed}")
        if gain_db is not None and not gain_db[0] <= gain_db[1]:
            raise ValueError(f"gain_db must be a range from low to high, not {list(gain_db)}")
        if speed is not None and not 0 < speed[0] <= speed[1]:
            raise ValueError(f"speed must be a range from low to high above 0, not {list(speed)}")
        self.seed = seed
        self.speed = speed
        self.remix = remix
        self.gain_db = gain_db
        self.channel_swap = channel_swap
        self.polarity = polarity
        self.strict = strict
        self.faults = Faults(tracks)

    @property
    def augmented(self) -> bool:
        """Whether stems are changed, so that the mixture has to be their sum."""
        return self.remix or self.gain_db is not None or self.channel_swap or self.polarity or self.speed is not None

    @property
    def read_targets(self) -> tuple[str, ...]:
        return self.stems if self.augmented else super().read_targets

    def hold(self) -> None:
        for track in self.tracks:
            try:
                track.hold(self.read_targets)
            except BadTrack as error:
                self._note(error)  # it is read from its files, so that memory changes no chunk

    def __getitem__(self, number: int) -> Batch:
        """Chunk `number`: mixture (C, T) and references (S, C, T).

        Raises:
            ValueError: If every track turns out bad; with `strict`, if one does.
        """
        bad: set[int] = set()
        while True:
            try:
                return self._drawn(number, bad)
            except BadTrack as error:
                bad.add(self._note(error))
                if len(bad) == len(self.tracks):
                    raise ValueError(f"no track is left to train on, each of {len(bad)} is bad, as {error}") from error

    def _note(self, error: BadTrack) -> int:
        if self.strict:
            raise error
        return self.faults.note(error)

    def _drawn(self, number: int, bad: Set[int]) -> Batch:
        """The chunk as it is drawn without the tracks in `bad`."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number, *sorted(bad))))
        tracks = [track for i, track in enumerate(self.tracks) if i not in bad] if bad else self.tracks
        count = len(self.stems)
        songs = rng.integers(len(tracks), size=count)
        places, gains, swaps, signs = rng.random((4, count))
        speeds = rng.random(count)
        if not self.augmented:
            return self.cut(tracks[songs[0]], self._start(tracks[songs[0]], places[0]))
        stems = np.empty((count, self.channels, self.samples), np.float32)
        for i, stem in enumerate(self.stems):
            drawn = i if self.remix else 0
            track = tracks[songs[drawn]]
            part = self._part(track, stem, places[drawn], speeds[drawn])
            stems[i] = part[::-1] if self.channel_swap and swaps[i] < 0.5 else part
            factor = -1.0 if self.polarity and signs[i] < 0.5 else 1.0
            if self.gain_db is not None:
                low, high = self.gain_db
                factor *= 10 ** ((low + gains[i] * (high - low)) / 20)
            if factor != 1:
                stems[i] *= np.float32(factor)
        references = stems
        if self.targets != self.stems:
            references = np.stack([_sum(stems[parts]) for parts in self.parts])
        return Batch(torch.from_numpy(_sum(stems)), torch.from_numpy(references))

    def _part(self, track: AdaptedTrack, stem: str, place: float, speed: float) -> np.ndarray:
        """The stem at a place, both in 0 to 1: (C, samples)."""
        if self.speed is None:
            return track.read(stem, self._start(track, place), self.samples)
        factor = self.speed[0] + speed * (self.speed[1] - self.speed[0])
        samples = math.ceil(self.samples * factor) + 1
        part = track.read(stem, self._start(track, place, samples), samples)
        faster = soxr.resample(part.T, factor, 1.0, "MQ").T[:, : self.samples]
        return np.pad(faster, ((0, 0), (0, self.samples - faster.shape[1])))

    def _start(self, track: AdaptedTrack, place: float, samples: int | None = None) -> int:
        return int(place * (max(0, track.frames - (samples or self.samples)) + 1))


class ExhaustiveChunks(_Cutter, Dataset[Batch]):
    """Every track from its start to its end in consecutive chunks, the last of each filled up with zeros.

    Args:
        tracks, targets, sample_rate, channels, chunk_seconds: As for `_Cutter`.
    """

    def __init__(
        self, tracks: Sequence[Track], targets: Sequence[str], sample_rate: int, channels: int, chunk_seconds: float
    ) -> None:
        super().__init__(tracks, targets, sample_rate, channels, chunk_seconds)
        self._places = [(track, start) for track in self.tracks for start in range(0, track.frames, self.samples)]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Batch:
        return self.cut(*self._places[index])


class ChunkSampler(Sampler[int]):
    """Gives a rank the global numbers of its chunks: epoch * chunks_per_epoch + i for i = rank, rank + world_size, ...

    Every rank gets as many, so the remainder of a division by world_size is left out.

    Args:
        chunks_per_epoch: Of all ranks together.
        rank, world_size: Of this process, and number of processes.
        epoch: The one that begins.
        start: How many of the rank's chunks of that epoch are done already (a resumed run); later epochs are whole.

    Raises:
        ValueError: If a rank would get no chunk.
    """

    def __init__(
        self, chunks_per_epoch: int, *, rank: int = 0, world_size: int = 1, epoch: int = 0, start: int = 0
    ) -> None:
        if chunks_per_epoch < world_size:
            raise ValueError(f"chunks_per_epoch must be at least one for each of {world_size} processes, "
                             f"not {chunks_per_epoch}")  # fmt: skip
        self.chunks_per_epoch = chunks_per_epoch
        self.rank = rank
        self.world_size = world_size
        self.epoch = epoch
        self.start = start

    def set_epoch(self, epoch: int) -> None:
        """Move to an epoch, to its first chunk unless it is the current one."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __len__(self) -> int:
        return self.chunks_per_epoch // self.world_size  # a whole epoch's: Lightning counts what is left itself

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self.chunks_per_epoch + self.rank
        for i in range(self.start, len(self)):
            yield first + i * self.world_size
