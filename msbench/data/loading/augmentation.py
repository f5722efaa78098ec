"""Augmentation of training chunks: its options, and what is drawn from them for each stem of a chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from msbench.data.loading.adapted import AdaptedTrack
from msbench.data.loading.draws import FORMANTS, GROUP, MIXUP, PITCH, REMIX, REPITCH, SHIFT, STRETCH, stream
from msbench.data.loading.effects import Effect, Range

DRAWN_EVENLY = 4  # rows of uniform random numbers that `Augmentation.draw` takes for the stems of a chunk

# Beyond these factors the vocoder's windows no longer overlap enough to be of any use.
_LIMITS = {"pitch_semitones": (-24, 24), "stretch": (0.25, 4), "formants": (0.25, 4)}


class Replay(NamedTuple):
    """How a stem is played: with stems of one song, the same for all, which so stay in time and in tune."""

    stretch: float  # times as long, at the same pitch
    pitch: float  # times as high, at the same duration
    speed: float | None  # times as fast and as high; None leaves even the resampler out


class MixedUp(NamedTuple):
    """The same stem of another song, that is added to a stem."""

    track: float  # which of the other tracks, from 0 to 1
    position: float  # within it, from 0 to 1
    factor: float  # of its samples, relative to the stem's

    def mean_with(self, part: np.ndarray, stem: str, others: Sequence[AdaptedTrack]) -> np.ndarray:
        """The mean of a part of a stem (C, T) and of as much of that of another song, if there is one."""
        if not others:
            return part
        track = others[int(self.track * len(others))]
        start = int(self.position * (max(0, track.frames - part.shape[1]) + 1))
        return (part + np.float32(self.factor) * track.read(stem, start, part.shape[1])) / np.float32(2)


class StemChange(NamedTuple):
    """What has been drawn for one stem of a chunk."""

    replay: Replay
    formants: float  # ratio by which the spectral envelope moves up
    swap_channels: bool
    shift: float  # part, from 0 to 1, of the longest shift by which the stem begins later
    factor: float  # of the samples: the gain, negative where the polarity is inverted
    mixed_up: MixedUp | None


@dataclass(frozen=True)
class Augmentation:
    """How training chunks differ from what was recorded; by default they do not.

    Each option draws from its own numbers: switching one on leaves the others as they were.

    Attributes:
        remix: Draw each stem from a song of its own.
        gain_db: Range of a gain drawn for each stem, evenly in dB. Stems that a target sums get the same, so that the
            balance within a target stays that of the recording.
        channel_swap: Swap the channels of each stem with a chance of one half.
        polarity: Invert each stem with a chance of one half.
        speed: Range of a factor drawn evenly for each song: its stems are played that much faster, and higher.
        pitch_semitones: Range of a pitch shift drawn evenly in semitones for each song, so that its stems stay in tune;
            with remix for each stem, as speed is, since each is from a song of its own.
        stretch: Range of a factor drawn likewise: played that much slower, at the same pitch.
        formants: Range of a ratio drawn evenly for each stem: its spectral envelope moved up, at the same pitch.
        gain: As gain_db, a range of factors, drawn evenly in amplitude.
        remix_share: Chance that a chunk is remixed; one that is not has all its stems from one song.
        remix_group: Remix by exchanging stems among so many chunks that follow each other, as Demucs does among those
            of a batch: each chunk is cut from one song, and each stem's parts are permuted within the group. Two stems
            of a chunk are of one song with a chance of one in so many. As all else, it knows nothing of batches.
        shift_seconds: The most by which each stem begins later, drawn evenly for each, so that stems of one song are
            no longer in time.
        repitch_share: Chance that pitch_semitones and stretch, together, change a song; with remix, a stem.
        mixup_share: Chance that a stem becomes the mean of itself and of the same stem of another song, which has a
            gain of its own from gain_db or gain. As mixup_probs of MSST (utils/dataset.py, load_random_mix, of msst
            0.1.0) with one chance; there the second may be of the same song.
        effects: What changes stems before their gain, and mixtures after their stems are added.

    Raises:
        ValueError: If a range is empty or goes too far, or options exclude each other.
    """

    remix: bool = False
    gain_db: Range | None = None
    channel_swap: bool = False
    polarity: bool = False
    speed: Range | None = None
    pitch_semitones: Range | None = None
    stretch: Range | None = None
    formants: Range | None = None
    gain: Range | None = None
    remix_share: float = 1.0
    remix_group: int | None = None
    shift_seconds: float = 0.0
    repitch_share: float = 1.0
    mixup_share: float = 0.0
    effects: tuple[Effect, ...] = ()

    def __post_init__(self) -> None:
        if self.gain_db is not None and not self.gain_db[0] <= self.gain_db[1]:
            raise ValueError(f"gain_db must be a range from low to high, not {list(self.gain_db)}")
        if self.gain is not None and not 0 <= self.gain[0] <= self.gain[1] < float("inf"):
            raise ValueError(f"gain must be a range of factors from low to high, not {list(self.gain)}")
        if self.gain is not None and self.gain_db is not None:
            raise ValueError("gain and gain_db are two ways to say one thing: give one of them")
        if self.speed is not None and not 0 < self.speed[0] <= self.speed[1]:
            raise ValueError(f"speed must be a range from low to high above 0, not {list(self.speed)}")
        for name, (least, most) in _LIMITS.items():
            limits: Range | None = getattr(self, name)
            if limits is not None and not least <= limits[0] <= limits[1] <= most:
                raise ValueError(
                    f"{name} must be a range from low to high within {least} to {most}, not {list(limits)}"
                )

        self._check_remix()
        if not 0 <= self.shift_seconds < float("inf"):
            raise ValueError(f"shift_seconds must not be negative, but it is {self.shift_seconds}")
        if not 0 < self.repitch_share <= 1:
            raise ValueError(f"repitch_share must be above 0 and at most 1, not {self.repitch_share}")
        if self.repitch_share < 1 and self.pitch_semitones is None and self.stretch is None:
            raise ValueError("repitch_share is the chance of pitch_semitones and stretch: set one of them, or leave it")
        if not 0 <= self.mixup_share <= 1:
            raise ValueError(f"mixup_share must be from 0 to 1, not {self.mixup_share}")

    def _check_remix(self) -> None:
        if not 0 < self.remix_share <= 1:
            raise ValueError(f"remix_share must be above 0 and at most 1, not {self.remix_share}")
        if self.remix_group is not None and self.remix_group < 2:
            raise ValueError(f"remix_group must be at least 2 chunks, not {self.remix_group}")
        if not self.remix and (self.remix_share < 1 or self.remix_group is not None):
            name = "remix_share" if self.remix_share < 1 else "remix_group"
            raise ValueError(f"{name} says how stems are remixed: set remix to true, or leave it out")

    @property
    def changes_stems(self) -> bool:
        """Whether anything is switched on, so that the mixture has to be the sum of the changed stems."""
        ranges = (self.gain_db, self.gain, self.speed, self.pitch_semitones, self.stretch, self.formants)
        switches = (self.remix, self.channel_swap, self.polarity, self.shift_seconds > 0, self.mixup_share > 0)
        effects = (effect.changes_stems for effect in self.effects)
        return any(switches) or any(effects) or any(limits is not None for limits in ranges)

    def remixes(self, seed: int, number: int) -> bool:
        """Whether the stems of chunk `number` are remixed."""
        return self.remix and (self.remix_share == 1 or bool(stream(seed, number, REMIX).random() < self.remix_share))

    def exchanged_with(self, seed: int, number: int, stems: int) -> list[int]:
        """The numbers of the chunks, of the group of chunk `number`, that its stems are cut from."""
        assert self.remix_group is not None
        group, member = divmod(number, self.remix_group)
        rng = stream(seed, group, GROUP)
        return [group * self.remix_group + int(rng.permutation(self.remix_group)[member]) for _ in range(stems)]

    def draw(self, seed: int, number: int, uniform: Sequence[np.ndarray]) -> list[StemChange]:
        """The changes of the stems of chunk `number`.

        Args:
            seed: Of all chunks.
            number: Of the chunk.
            uniform: DRAWN_EVENLY arrays (stems,) of the chunk's own random numbers, from 0 to 1. They are drawn
                whether an option needs them or not; options that came later have streams of their own.
        """
        gains, swaps, signs, speeds = uniform
        count = len(gains)

        def evenly(limits: Range | None, off: float, purpose: int) -> np.ndarray:
            low, high = limits or (off, off)
            if low == high:
                return np.full(count, float(low))
            return low + stream(seed, number, purpose).random(count) * (high - low)

        pitches = 2 ** (evenly(self.pitch_semitones, 0, PITCH) / 12)
        stretches = evenly(self.stretch, 1, STRETCH)
        if self.repitch_share < 1:
            kept = stream(seed, number, REPITCH).random(count) >= self.repitch_share
            pitches[kept] = stretches[kept] = 1
        formants = evenly(self.formants, 1, FORMANTS)
        shifts = stream(seed, number, SHIFT).random(count) if self.shift_seconds > 0 else np.zeros(count)
        mixed_up = self._mixed_up(seed, number, count)
        return [
            StemChange(
                Replay(stretches[i], pitches[i], self.speed and _between(self.speed, speeds[i])),
                formants[i],
                self.channel_swap and bool(swaps[i] < 0.5),
                shifts[i],
                self._factor(gains[i], signs[i]),
                mixed_up[i],
            )
            for i in range(count)
        ]

    def _mixed_up(self, seed: int, number: int, count: int) -> list[MixedUp | None]:
        if self.mixup_share == 0:
            return [None] * count
        drawn = stream(seed, number, MIXUP).random((count, 4))
        return [
            MixedUp(track, position, abs(self._factor(gain, 1))) if chance < self.mixup_share else None
            for chance, track, position, gain in drawn
        ]

    def _factor(self, gain: float, sign: float) -> float:
        factor = -1.0 if self.polarity and sign < 0.5 else 1.0
        if self.gain is not None:
            return factor * _between(self.gain, gain)
        return factor if self.gain_db is None else factor * 10 ** (_between(self.gain_db, gain) / 20)


def _between(limits: Range, share: float) -> float:
    low, high = limits
    return low + share * (high - low)
