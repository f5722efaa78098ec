"""Chunks: what a model is trained and validated on, cut from tracks at the model's rate and channel count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from msbench.data.loading.adapted import AdaptedTrack
from msbench.data.loading.augmentation import Augmentation
from msbench.data.loading.effects import check_effects, with_effects
from msbench.data.loading.faults import BadTrack, Faults
from msbench.data.loading.places import ChunkPlace, ChunkPlaces, Sampling, consecutive
from msbench.data.loading.stem_draws import Drawn, StemDraws
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
        tracks: All with the same stems, or with targets that add up to the mixture, which are then read as stems.
        format: Of every chunk.
        strict: Raise the error of a bad track, instead of passing it over.

    Attributes:
        faults: What was found bad, in any process.

    Raises:
        ValueError: If there is no track, the channel count cannot be made, or the tracks have no stems in common.
    """

    def __init__(self, tracks: Sequence[Track], format: ChunkFormat, strict: bool) -> None:
        if not tracks:
            raise ValueError("there are no tracks to cut chunks from")
        self.tracks = [AdaptedTrack(track, format.sample_rate, format.channels) for track in tracks]
        self.format = format
        self.targets = format.targets
        self.samples = format.samples
        self.stems = _common_stems(tracks, self.targets)
        whole = self.stems == self.targets
        parts = [(target,) if whole else tracks[0].parts(target) for target in self.targets]
        self.parts = [[self.stems.index(part) for part in names] for names in parts]
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
        tracks, format: As for `_Cutter`.
        augmentation: What is changed at random; nothing by default.
        sampling: Where chunks are cut, see `ChunkPlaces`. "balanced" draws a place again while it is silent: with
            remix, for each stem; without, for one target of the chunk, drawn evenly, so that a target that rarely
            plays is heard as often as the others.
        seed: Not negative.
        strict: Raise the error of a bad track, instead of passing it over.

    Raises:
        ValueError: As for `_Cutter`; or if the seed is negative, there is no such sampling, or an augmentation is not
            for such tracks.
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
        check_effects(self.augmentation.effects, self.stems, format.sample_rate, format.channels)
        if self.augmentation.mixup_share > 0 and len(tracks) == 1:
            raise ValueError("data.mixup_share takes stems of another song, and there is one: leave it out")
        self.places = ChunkPlaces(self.tracks, self.samples, sampling, seed)
        self.draws = StemDraws(self.augmentation, seed, len(self.tracks), self.parts, len(self.stems))

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
                mixture, references = self._cut_as_drawn(number, bad)
                return Batch(self.changed_mixture(mixture, number), references)
            except BadTrack as error:
                bad.add(self.note(error))
                if len(bad) == len(self.tracks):
                    raise BadTrack(f"no track is left to train on, each of {len(bad)} is bad, as {error}") from error

    def changed_mixture(self, mixture: Tensor, number: int) -> Tensor:
        """The mixture (C, T) of chunk `number` after the effects that change mixtures; no reference has them."""
        return torch.from_numpy(np.ascontiguousarray(self._with_effects(mixture.numpy(), MIXTURE, number)))

    def _with_effects(self, audio: np.ndarray, stem: str, number: int) -> np.ndarray:
        return with_effects(audio, self.augmentation.effects, self.format.sample_rate, self.seed, number, stem)

    def _cut_as_drawn(self, number: int, bad: Set[int]) -> Batch:
        """The chunk as it is drawn without the tracks in `bad`."""
        drawn, usable = self.draws.of(number, bad), self.draws.usable(bad)
        if not self.augmentation.changes_stems:
            place, read = self.places.find(drawn.stems[0], self.samples, self._heard(drawn, 0), usable)
            return self.cut(place, read)
        stems = self._changed_stems(number, drawn, usable)
        references = stems
        if self.targets != self.stems:
            references = np.stack([sum_of([stems[part] for part in parts]) for parts in self.parts])
        return Batch(torch.from_numpy(sum_of(stems)), torch.from_numpy(references))

    def _changed_stems(self, number: int, drawn: Drawn, usable: Sequence[int]) -> np.ndarray:
        """(S, C, T), each stem read and changed as drawn."""
        rate = self.format.sample_rate
        longest_shift = round(self.augmentation.shift_seconds * rate)
        stems = np.empty((len(self.stems), self.format.channels, self.samples), np.float32)
        for i, (stem, change) in enumerate(zip(self.stems, drawn.changes, strict=True)):
            replay = change.replay._asdict()
            needed = source_samples(self.samples, rate, **replay)
            spare = source_samples(self.samples + longest_shift, rate, **replay) - needed
            if i == 0 or drawn.stems[i] != drawn.stems[i - 1]:  # else it is of the same song, in time and in tune
                place, read = self.places.find(drawn.stems[i], needed + spare, self._heard(drawn, i), usable)
            later = round(change.shift * spare)
            into = stems[i] if needed == self.samples else None  # as long as the chunk: read without a copy
            if stem in read:
                part = read[stem][:, later : later + needed]
            else:
                part = place.track.read(stem, place.start + later, needed, into)
            if change.mixed_up is not None:
                others = [self.tracks[k] for k in usable if self.tracks[k] is not place.track]
                part = change.mixed_up.mean_with(part, stem, others)
            part = replayed(part, self.samples, rate, **replay)
            part = with_formants(part, change.formants, rate)
            part = self._with_effects(part, stem, number)
            if change.swap_channels:
                stems[i] = part[::-1]
            elif part is not into:
                stems[i] = part
            if change.factor != 1:
                stems[i] *= np.float32(change.factor)
        return stems

    def _heard(self, drawn: Drawn, stem: int) -> list[str]:
        """What, added up, may not be silent at the place of a stem of a chunk; only balanced sampling asks."""
        if self.places.sampling != "balanced":
            return []
        if drawn.remixed:
            return [self.stems[stem]]
        target = self.places.target(drawn.stems[stem].number, len(self.targets))
        if self.augmentation.changes_stems:
            return [self.stems[part] for part in self.parts[target]]
        return [self.targets[target]]


def _common_stems(tracks: Sequence[Track], targets: tuple[str, ...]) -> tuple[str, ...]:
    """The stems that all tracks have; the targets, where tracks have different ones that the targets sum."""

    def made_of(track: Track) -> list[list[str]]:
        return [sorted(track.stems), *(sorted(track.parts(target)) for target in targets)]

    first = tracks[0]
    other = next((track for track in tracks if made_of(track) != made_of(first)), None)
    if other is None:
        return first.stems
    for track in tracks:
        if not track.covers(targets):
            raise ValueError(
                f"track '{first.name}' has the stems {', '.join(first.stems)}, and '{other.name}' has "
                f"{', '.join(other.stems)}: both can be trained on with targets that add up to the mixture of each, "
                f"and {', '.join(targets)} do not"
            )
    return targets


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
