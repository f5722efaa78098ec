"""Chunks: what a model is trained and validated on, cut from tracks at the model's rate and channel count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from msbench.data.loading.adapted import AdaptedTrack
from msbench.data.loading.augmentation import replayed, source_samples, with_formants
from msbench.data.loading.faults import BadTrack, Faults
from msbench.data.loading.places import BAD, FORMANTS, PITCH, STRETCH, Places, Sampling, consecutive, stream
from msbench.data.loops import sum_of
from msbench.data.track import MIXTURE, Track
from msbench.model.separator import Batch


class _Cutter:
    """Tracks, and how one chunk is cut from one of them; the base of both datasets.

    Args:
        tracks: All with the same stems.
        targets: In the order of the references.
        sample_rate: The model's, in Hz.
        channels: The model's.
        chunk_seconds: Every chunk has exactly round(chunk_seconds * sample_rate) samples.
        strict: Raise the error of a bad track, instead of passing it over.

    Attributes:
        faults: What was found bad, in any process.

    Raises:
        ValueError: If there is no track, the chunk has no sample, or the channel count cannot be made.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        chunk_seconds: float,
        strict: bool,
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
        self.sample_rate = sample_rate
        self.channels = channels
        self.strict = strict
        self.faults = Faults(tracks)

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
            try:
                track.hold(self.read_targets)
            except BadTrack as error:
                self.note(error)  # it is read from its files, so that memory changes no chunk

    def note(self, error: BadTrack) -> int:
        """Keep what is wrong with a track; returns which it is."""
        if self.strict:
            raise error
        return self.faults.note(error)

    def cut(self, track: AdaptedTrack, start: int, read: Mapping[str, np.ndarray] | None = None) -> Batch:
        """The chunk from `start` (samples at the model's rate): mixture (C, T), references (S, C, T).

        What of it has been read already, by target, is not read again.
        """
        references = np.empty((len(self.targets), self.channels, self.samples), np.float32)
        for reference, target in zip(references, self.targets, strict=True):
            if read and target in read:
                reference[:] = read[target]
            else:
                track.read(target, start, self.samples, reference)
        # The sum saves a read, and is the mixture exactly where that file was coded apart from its stems.
        mixture = sum_of(references) if self.covering else track.read(MIXTURE, start, self.samples).copy()
        return Batch(torch.from_numpy(mixture), torch.from_numpy(references))


class ChunkDataset(_Cutter, Dataset[Batch]):
    """Chunks to train on, each a function of (seed, its global number) alone.

    Which worker or rank makes a chunk, and what was made before it, changes nothing; so training resumes exactly. A
    song shorter than a chunk ends in zeros. Each augmentation draws from its own numbers: switching one on leaves the
    others as they were.

    Where a track cannot be read, or holds NaN, the chunk is drawn anew from the others: a function of (seed, number,
    which tracks are bad there).

    Args:
        tracks, targets, sample_rate, channels, chunk_seconds: As for `_Cutter`.
        seed: Not negative.
        sampling: Where chunks are cut, see `Places`. "balanced" draws a place again while it is silent: with remix, for
            each stem; without, for one target of the chunk, drawn evenly, so that a target that rarely plays is heard
            as often as the others.
        remix: Draw each stem from a song of its own.
        gain_db: Range of a gain drawn for each stem, evenly in dB.
        channel_swap: Swap the channels of each stem with a chance of one half.
        polarity: Turn each stem's sign with a chance of one half.
        speed: Range of a factor drawn evenly for each song: its stems are played so much faster, and higher.
        pitch_semitones: Range of a pitch shift drawn evenly in semitones for each song, so that its stems stay in tune;
            with remix for each stem, as speed is, since each is of its own song.
        stretch: Range of a factor drawn evenly likewise: played so much slower, at the same pitch.
        formants: Range of a ratio drawn evenly for each stem: its spectral envelope moved up, at the same pitch.
        strict: As for `_Cutter`.

    Raises:
        ValueError: As for `_Cutter`; or if the seed is negative, there is no such sampling or a range is empty or goes
            too far.
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
        sampling: Sampling = "random",
        remix: bool = False,
        gain_db: tuple[float, float] | None = None,
        channel_swap: bool = False,
        polarity: bool = False,
        speed: tuple[float, float] | None = None,
        pitch_semitones: tuple[float, float] | None = None,
        stretch: tuple[float, float] | None = None,
        formants: tuple[float, float] | None = None,
        strict: bool = False,
    ) -> None:
        super().__init__(tracks, targets, sample_rate, channels, chunk_seconds, strict)
        if seed < 0:
            raise ValueError(f"seed must not be negative, but it is {seed}")
        if gain_db is not None and not gain_db[0] <= gain_db[1]:
            raise ValueError(f"gain_db must be a range from low to high, not {list(gain_db)}")
        if speed is not None and not 0 < speed[0] <= speed[1]:
            raise ValueError(f"speed must be a range from low to high above 0, not {list(speed)}")
        for name, limits, (least, most) in (
            ("pitch_semitones", pitch_semitones, (-24, 24)),
            ("stretch", stretch, (0.25, 4)),
            ("formants", formants, (0.25, 4)),
        ):
            if limits is not None and not least <= limits[0] <= limits[1] <= most:
                raise ValueError(f"{name} must be a range from low to high within {least} to {most}, "
                                 f"not {list(limits)}")  # fmt: skip
        self.seed = seed
        self.places = Places(self.tracks, self.samples, sampling, seed)
        self.speed = speed
        self.pitch_semitones = pitch_semitones
        self.stretch = stretch
        self.formants = formants
        self.remix = remix
        self.gain_db = gain_db
        self.channel_swap = channel_swap
        self.polarity = polarity

    @property
    def augmented(self) -> bool:
        """Whether stems are changed, so that the mixture has to be their sum."""
        ranges = (self.gain_db, self.speed, self.pitch_semitones, self.stretch, self.formants)
        return self.remix or self.channel_swap or self.polarity or any(limits is not None for limits in ranges)

    @property
    def read_targets(self) -> tuple[str, ...]:
        return self.stems if self.augmented else super().read_targets

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
                bad.add(self.note(error))
                if len(bad) == len(self.tracks):
                    raise ValueError(f"no track is left to train on, each of {len(bad)} is bad, as {error}") from error

    def _drawn(self, number: int, bad: Set[int]) -> Batch:
        """The chunk as it is drawn without the tracks in `bad`."""
        rng = stream(self.seed, number, BAD, *sorted(bad)) if bad else stream(self.seed, number)
        count = len(self.stems)
        all_tracks = range(len(self.tracks))
        sound: Sequence[int] = [i for i in all_tracks if i not in bad] if bad else all_tracks
        songs = [sound[i] for i in rng.integers(len(sound), size=count)]
        positions, gains, swaps, signs = rng.random((4, count))
        speeds = rng.random(count)
        if not self.augmented:
            heard = self._heard(number, 0)
            place, read = self.places.find(number, 0, songs[0], positions[0], self.samples, heard, sound)
            return self.cut(*place, read)
        pitches = 2 ** (self._evenly(self.pitch_semitones, 0, number, PITCH) / 12)
        stretches = self._evenly(self.stretch, 1, number, STRETCH)
        formants = self._evenly(self.formants, 1, number, FORMANTS)
        stems = np.empty((count, self.channels, self.samples), np.float32)
        for i, stem in enumerate(self.stems):
            if i == 0 or self.remix:
                speed = self.speed and self.speed[0] + speeds[i] * (self.speed[1] - self.speed[0])
                replay = {"stretch": stretches[i], "pitch": pitches[i], "speed": speed}
                samples = source_samples(self.samples, self.sample_rate, **replay)
                heard = self._heard(number, i)
                place, read = self.places.find(number, i, songs[i], positions[i], samples, heard, sound)
            into = stems[i] if samples == self.samples else None
            part = read[stem] if stem in read else place.track.read(stem, place.start, samples, into)
            part = replayed(part, self.samples, self.sample_rate, **replay)
            part = with_formants(part, formants[i], self.sample_rate)
            if self.channel_swap and swaps[i] < 0.5:
                stems[i] = part[::-1]
            elif part is not into:
                stems[i] = part
            factor = -1.0 if self.polarity and signs[i] < 0.5 else 1.0
            if self.gain_db is not None:
                low, high = self.gain_db
                factor *= 10 ** ((low + gains[i] * (high - low)) / 20)
            if factor != 1:
                stems[i] *= np.float32(factor)
        references = stems
        if self.targets != self.stems:
            references = np.stack([sum_of([stems[part] for part in parts]) for parts in self.parts])
        return Batch(torch.from_numpy(sum_of(stems)), torch.from_numpy(references))

    def _heard(self, number: int, stem: int) -> list[str]:
        """What, added up, may not be silent at the place of a stem of a chunk; only balanced sampling asks."""
        if self.places.sampling != "balanced":
            return []
        if self.remix:
            return [self.stems[stem]]
        target = self.places.target(number, len(self.targets))
        return [self.stems[part] for part in self.parts[target]] if self.augmented else [self.targets[target]]

    def _evenly(self, limits: tuple[float, float] | None, off: float, number: int, purpose: int) -> np.ndarray:
        """(S) drawn evenly for a chunk's stems, from numbers of their own."""
        low, high = limits or (off, off)
        if low == high:
            return np.full(len(self.stems), float(low))
        return low + stream(self.seed, number, purpose).random(len(self.stems)) * (high - low)


class ExhaustiveChunks(_Cutter, Dataset[Batch]):
    """Every track from its start to its end in consecutive chunks, the last of each filled up with zeros.

    Where a track cannot be read, or holds NaN, the next chunk of another comes in its place.

    Args:
        tracks, targets, sample_rate, channels, chunk_seconds, strict: As for `_Cutter`.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        chunk_seconds: float,
        strict: bool = False,
    ) -> None:
        super().__init__(tracks, targets, sample_rate, channels, chunk_seconds, strict)
        self._places = consecutive(self.tracks, self.samples)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Batch:
        """Chunk `index`: mixture (C, T) and references (S, C, T).

        Raises:
            IndexError: If there is none.
            ValueError: If every track turns out bad; with `strict`, if its own does.
        """
        bad: set[AdaptedTrack] = set()
        place = self._places[index]
        while True:
            try:
                return self.cut(*place)
            except BadTrack as error:
                bad.add(self.tracks[self.note(error)])
                others = (each for each in self._places[index:] + self._places[:index] if each.track not in bad)
                following = next(others, None)
                if following is None:
                    raise ValueError(
                        f"no track is left to validate on, each of {len(bad)} is bad, as {error}"
                    ) from error
                place = following


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
