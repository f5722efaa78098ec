"""Chunks: what a model is trained and validated on, cut from tracks at the model's rate and channel count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from msbench.data.loading.adapted import AdaptedTrack
from msbench.data.loading.augmentation import DRAWN_EVENLY, Augmentation, StemChange
from msbench.data.loading.draws import BAD, stream
from msbench.data.loading.faults import BadTrack, Faults
from msbench.data.loading.places import ChunkPlace, ChunkPlaces, Sampling, StemDraw, consecutive
from msbench.data.loading.vocoder import replayed, source_samples, with_formants
from msbench.data.loops import sum_of
from msbench.data.track import MIXTURE, Track
from msbench.model.separator import Batch


@dataclass(frozen=True)
class ChunkFormat:
    """What all chunks have in common.

    Attributes:
        targets: In the order of the references.
        sample_rate: The model's, in Hz.
        channels: The model's.
        seconds: Every chunk has exactly round(seconds * sample_rate) samples.

    Raises:
        ValueError: If a chunk has no sample.
    """

    targets: tuple[str, ...]
    sample_rate: int
    channels: int
    seconds: float

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(
                f"chunk_seconds must be at least one sample long (1/{self.sample_rate} s), not {self.seconds}"
            )

    @property
    def samples(self) -> int:
        return round(self.seconds * self.sample_rate)


class _Cutter:
    """Tracks, and how one chunk is cut from one of them; the base of both datasets.

    Args:
        tracks: All with the same stems.
        format: Of every chunk.
        strict: Raise the error of a bad track, instead of passing it over.

    Attributes:
        faults: What was found bad, in any process.

    Raises:
        ValueError: If there is no track, or the channel count cannot be made.
    """

    def __init__(self, tracks: Sequence[Track], format: ChunkFormat, strict: bool) -> None:
        if not tracks:
            raise ValueError("there are no tracks to cut chunks from")
        self.tracks = [AdaptedTrack(track, format.sample_rate, format.channels) for track in tracks]
        self.format = format
        self.targets = format.targets
        self.samples = format.samples
        self.stems = tracks[0].stems
        self.parts = [[self.stems.index(part) for part in tracks[0].parts(target)] for target in self.targets]
        self.covering = tracks[0].covers(self.targets)
        self.strict = strict
        self.faults = Faults(tracks)

    @property
    def read_targets(self) -> tuple[str, ...]:
        """What is read of each track."""
        return self.targets if self.covering else (*self.targets, MIXTURE)

    @property
    def bytes_in_memory(self) -> int:
        """What `hold` takes."""
        return sum(track.frames for track in self.tracks) * len(self.read_targets) * self.format.channels * 4

    def hold(self) -> None:
        """Decode and resample all tracks into memory."""
        for track in self.tracks:
            try:
                track.hold(self.read_targets)
            except BadTrack as error:
                self.note(error)  # and it is read from its files: memory must change no chunk

    def note(self, error: BadTrack) -> int:
        """Keep what is wrong with a track; returns which it is."""
        if self.strict:
            raise error
        return self.faults.note(error)

    def cut(self, place: ChunkPlace, read: Mapping[str, np.ndarray] | None = None) -> Batch:
        """The chunk at a place: mixture (C, T), references (S, C, T).

        What of it has been read already, by target, is not read again.
        """
        track, start = place
        references = np.empty((len(self.targets), self.format.channels, self.samples), np.float32)
        for reference, target in zip(references, self.targets, strict=True):
            if read and target in read:
                reference[:] = read[target]
            else:
                track.read(target, start, self.samples, reference)
        # The sum saves a read, and it is consistent where the mixture's file was coded separately from its stems. The
        # copy is for the caller, who may write to a chunk: what is read may be what is held in memory.
        mixture = sum_of(references) if self.covering else track.read(MIXTURE, start, self.samples).copy()
        return Batch(torch.from_numpy(mixture), torch.from_numpy(references))


class ChunkDataset(_Cutter, Dataset[Batch]):
    """Chunks to train on, each a function of (seed, its global number) alone.

    Which worker or rank makes a chunk, and what was made before it, changes nothing; so training resumes exactly. A
    song shorter than a chunk ends in zeros.

    Where a track cannot be read, or holds NaN, the chunk is drawn again from the others: a function of (seed, number,
    which tracks are bad there).

    Args:
        tracks: All with the same stems.
        format: Of every chunk.
        augmentation: What is changed at random; nothing by default.
        sampling: Where chunks are cut, see `ChunkPlaces`. "balanced" draws a place again while it is silent: with
            remix, for each stem; without, for one target of the chunk, drawn evenly, so that a target that rarely
            plays is heard as often as the others.
        seed: Not negative.
        strict: Raise the error of a bad track, instead of passing it over.

    Raises:
        ValueError: As for `_Cutter`; or if the seed is negative, or there is no such sampling.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        format: ChunkFormat,
        augmentation: Augmentation | None = None,
        *,
        sampling: Sampling = "random",
        seed: int = 0,
        strict: bool = False,
    ) -> None:
        super().__init__(tracks, format, strict)
        if seed < 0:
            raise ValueError(f"seed must not be negative, but it is {seed}")
        self.seed = seed
        self.augmentation = augmentation or Augmentation()
        self.places = ChunkPlaces(self.tracks, self.samples, sampling, seed)

    @property
    def read_targets(self) -> tuple[str, ...]:
        # Stems are changed one by one, so a target that is a sum has to be read as its stems.
        return self.stems if self.augmentation.changes_stems else super().read_targets

    def __getitem__(self, number: int) -> Batch:
        """Chunk `number`: mixture (C, T) and references (S, C, T).

        Raises:
            BadTrack: If every track turns out bad; with `strict`, if one does.
        """
        bad: set[int] = set()
        while True:
            try:
                return self._drawn(number, bad)
            except BadTrack as error:
                bad.add(self.note(error))
                if len(bad) == len(self.tracks):
                    raise BadTrack(f"no track is left to train on, each of {len(bad)} is bad, as {error}") from error

    def _drawn(self, number: int, bad: Set[int]) -> Batch:
        """The chunk as it is drawn without the tracks in `bad`."""
        # Another stream for other bad tracks, not a second draw from the same: what was drawn before a file went bad
        # depends on the process, and the chunk must not.
        rng = stream(self.seed, number, BAD, *sorted(bad)) if bad else stream(self.seed, number)
        count = len(self.stems)
        all_tracks = range(len(self.tracks))
        usable: Sequence[int] = [i for i in all_tracks if i not in bad] if bad else all_tracks
        # All is drawn in one order whether it is needed or not, so that no option moves the draws of another.
        tracks = [usable[i] for i in rng.integers(len(usable), size=count)]
        positions, *uniform = rng.random((1 + DRAWN_EVENLY, count))
        draws = [StemDraw(number, i, tracks[i], positions[i]) for i in range(count)]
        if not self.augmentation.changes_stems:
            place, read = self.places.find(draws[0], self.samples, self._heard(draws[0]), usable)
            return self.cut(place, read)
        stems = self._changed_stems(draws, self.augmentation.draw(self.seed, number, uniform), usable)
        references = stems
        if self.targets != self.stems:
            references = np.stack([sum_of([stems[part] for part in parts]) for parts in self.parts])
        return Batch(torch.from_numpy(sum_of(stems)), torch.from_numpy(references))

    def _changed_stems(
        self, draws: Sequence[StemDraw], changes: Sequence[StemChange], usable: Sequence[int]
    ) -> np.ndarray:
        """(S, C, T), each stem read and changed as drawn."""
        rate = self.format.sample_rate
        stems = np.empty((len(self.stems), self.format.channels, self.samples), np.float32)
        for i, (stem, draw, change) in enumerate(zip(self.stems, draws, changes, strict=True)):
            if i == 0 or self.augmentation.remix:  # else all stems are of one song, in time and in tune
                replay = change.replay._asdict()
                needed = source_samples(self.samples, rate, **replay)
                place, read = self.places.find(draw, needed, self._heard(draw), usable)
            into = stems[i] if needed == self.samples else None  # as long as the chunk: read without a copy
            part = read[stem] if stem in read else place.track.read(stem, place.start, needed, into)
            part = replayed(part, self.samples, rate, **replay)
            part = with_formants(part, change.formants, rate)
            if change.swap_channels:
                stems[i] = part[::-1]
            elif part is not into:
                stems[i] = part
            if change.factor != 1:
                stems[i] *= np.float32(change.factor)
        return stems

    def _heard(self, draw: StemDraw) -> list[str]:
        """What, added up, may not be silent at the place of a stem of a chunk; only balanced sampling asks."""
        if self.places.sampling != "balanced":
            return []
        if self.augmentation.remix:
            return [self.stems[draw.stem]]
        target = self.places.target(draw.number, len(self.targets))
        if self.augmentation.changes_stems:
            return [self.stems[part] for part in self.parts[target]]
        return [self.targets[target]]


class ExhaustiveChunks(_Cutter, Dataset[Batch]):
    """Every track from its start to its end in consecutive chunks, the last of each filled up with zeros.

    Where a track cannot be read, or holds NaN, the next chunk of another comes in its place.

    Args:
        tracks, format, strict: As for `_Cutter`.
    """

    def __init__(self, tracks: Sequence[Track], format: ChunkFormat, strict: bool = False) -> None:
        super().__init__(tracks, format, strict)
        self._places = consecutive(self.tracks, self.samples)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Batch:
        """Chunk `index`: mixture (C, T) and references (S, C, T).

        Raises:
            IndexError: If there is none.
            BadTrack: If every track turns out bad; with `strict`, if its own does.
        """
        bad: set[AdaptedTrack] = set()
        place = self._places[index]
        while True:
            try:
                return self.cut(place)
            except BadTrack as error:
                bad.add(self.tracks[self.note(error)])
                others = (each for each in self._places[index:] + self._places[:index] if each.track not in bad)
                following = next(others, None)
                if following is None:
                    raise BadTrack(f"no track is left to validate on, each of {len(bad)} is bad, as {error}") from error
                place = following
