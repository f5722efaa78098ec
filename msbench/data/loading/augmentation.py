"""Augmentation of training chunks: its options, and what is drawn from them for each stem of a chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from msbench.data.loading.draws import FORMANTS, PITCH, STRETCH, stream

Range = tuple[float, float]  # from low to high, both included

DRAWN_EVENLY = 4  # rows of uniform random numbers that `Augmentation.draw` takes for the stems of a chunk

# Beyond these factors the vocoder's windows no longer overlap enough to be of any use.
_LIMITS = {"pitch_semitones": (-24, 24), "stretch": (0.25, 4), "formants": (0.25, 4)}


class Replay(NamedTuple):
    """How a stem is played: with stems of one song, the same for all, which so stay in time and in tune."""

    stretch: float  # times as long, at the same pitch
    pitch: float  # times as high, at the same duration
    speed: float | None  # times as fast and as high; None leaves even the resampler out


class StemChange(NamedTuple):
    """What has been drawn for one stem of a chunk."""

    replay: Replay
    formants: float  # ratio by which the spectral envelope moves up
    swap_channels: bool
    factor: float  # of the samples: the gain, negative where the polarity is inverted


@dataclass(frozen=True)
class Augmentation:
    """How training chunks differ from what was recorded; by default they do not.

    Each option draws from its own numbers: switching one on leaves the others as they were.

    Attributes:
        remix: Draw each stem from a song of its own.
        gain_db: Range of a gain drawn for each stem, evenly in dB.
        channel_swap: Swap the channels of each stem with a chance of one half.
        polarity: Invert each stem with a chance of one half.
        speed: Range of a factor drawn evenly for each song: its stems are played that much faster, and higher.
        pitch_semitones: Range of a pitch shift drawn evenly in semitones for each song, so that its stems stay in tune;
            with remix for each stem, as speed is, since each is from a song of its own.
        stretch: Range of a factor drawn likewise: played that much slower, at the same pitch.
        formants: Range of a ratio drawn evenly for each stem: its spectral envelope moved up, at the same pitch.

    Raises:
        ValueError: If a range is empty or goes too far.
    """

    remix: bool = False
    gain_db: Range | None = None
    channel_swap: bool = False
    polarity: bool = False
    speed: Range | None = None
    pitch_semitones: Range | None = None
    stretch: Range | None = None
    formants: Range | None = None

    def __post_init__(self) -> None:
        if self.gain_db is not None and not self.gain_db[0] <= self.gain_db[1]:
            raise ValueError(f"gain_db must be a range from low to high, not {list(self.gain_db)}")
        if self.speed is not None and not 0 < self.speed[0] <= self.speed[1]:
            raise ValueError(f"speed must be a range from low to high above 0, not {list(self.speed)}")
        for name, (least, most) in _LIMITS.items():
            limits: Range | None = getattr(self, name)
            if limits is not None and not least <= limits[0] <= limits[1] <= most:
                raise ValueError(
                    f"{name} must be a range from low to high within {least} to {most}, not {list(limits)}"
                )

    @property
    def changes_stems(self) -> bool:
        """Whether anything is switched on, so that the mixture has to be the sum of the changed stems."""
        ranges = (self.gain_db, self.speed, self.pitch_semitones, self.stretch, self.formants)
        return self.remix or self.channel_swap or self.polarity or any(limits is not None for limits in ranges)

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
        formants = evenly(self.formants, 1, FORMANTS)
        return [
            StemChange(
                Replay(stretches[i], pitches[i], self.speed and _between(self.speed, speeds[i])),
                formants[i],
                self.channel_swap and bool(swaps[i] < 0.5),
                self._factor(gains[i], signs[i]),
            )
            for i in range(count)
        ]

    def _factor(self, gain: float, sign: float) -> float:
        factor = -1.0 if self.polarity and sign < 0.5 else 1.0
        return factor if self.gain_db is None else factor * 10 ** (_between(self.gain_db, gain) / 20)


def _between(limits: Range, share: float) -> float:
    low, high = limits
    return low + share * (high - low)
