"""From where in which track a chunk is cut."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np

from msbench.data.loading.adapted import AdaptedTrack
from msbench.data.loading.draws import HEARD, ORDER, REDRAW, stream

Sampling = Literal["random", "exhaustive", "balanced"]

SILENCE_DB = -60.0  # a stem below this is silent: RMS over all channels of what is read, relative to full scale
DRAWS = 20  # of a place at most: a stem that plays an eighth of the time is then found in 93 chunks of 100


class ChunkPlace(NamedTuple):
    """The first sample of a chunk, at the model's rate, and its track."""

    track: AdaptedTrack
    start: int


def consecutive(tracks: Sequence[AdaptedTrack], samples: int) -> list[ChunkPlace]:
    """The places of chunks that hold every sample of every track once."""
    return [ChunkPlace(track, start) for track in tracks for start in range(0, track.frames, samples)]


def is_silent(audio: np.ndarray) -> bool:
    """Whether the level of (C, T) is below `SILENCE_DB`."""
    return float(np.vdot(audio, audio)) < 10 ** (SILENCE_DB / 10) * audio.size


class StemDraw(NamedTuple):
    """What has been drawn for a stem of a chunk before its place is known."""

    number: int  # of the chunk
    stem: int  # with remix each stem has a place of its own; without, that of stem 0 is for all
    track: int  # index of a usable track
    position: float  # within that track, from 0 to 1


class ChunkPlaces:
    """Where the stems of chunk n come from; a function of (seed, n) alone, like all of the chunk.

    Args:
        tracks: To cut from.
        samples: Of a chunk.
        sampling: "random": a song drawn evenly from all, then the position evenly within it. "exhaustive": all
            consecutive places of all tracks in an order drawn for each pass, which goes on across epochs; no place
            comes twice before each has come once. "balanced": as random, and drawn again while silent.
        seed: Not negative.

    Raises:
        ValueError: If there is no such sampling.
    """

    def __init__(self, tracks: Sequence[AdaptedTrack], samples: int, sampling: Sampling, seed: int) -> None:
        if sampling not in get_args(Sampling):
            raise ValueError(f"sampling must be one of {', '.join(get_args(Sampling))}, not '{sampling}'")
        self.tracks = tracks
        self.sampling = sampling
        self.seed = seed
        # Only exhaustive sampling needs the list, and with thousands of songs it is long.
        self._all = consecutive(tracks, samples) if sampling == "exhaustive" else []

    def find(
        self, draw: StemDraw, samples: int, heard: Sequence[str], usable: Sequence[int]
    ) -> tuple[ChunkPlace, dict[str, np.ndarray]]:
        """The place of a stem of a chunk.

        Args:
            draw: Random and balanced sampling begin with its track and position; exhaustive sampling takes them where
                the track whose turn it is turns out bad.
            samples: To be read there: more than a chunk's where they are played faster.
            heard: Targets whose sum may not be silent, for balanced sampling.
            usable: Indices of the tracks that can be read.

        Returns:
            The place, and (C, samples) of each of `heard` if they had to be read for it.
        """
        if self.sampling == "exhaustive":
            turn, i = divmod(draw.number, len(self._all))
            place = self._all[_order(self.seed, turn, draw.stem, len(self._all))[i]]
            if len(usable) == len(self.tracks) or any(place.track is self.tracks[k] for k in usable):
                return place, {}
            return self._within(draw.track, draw.position, samples), {}
        place = self._within(draw.track, draw.position, samples)
        if self.sampling == "random":
            return place, {}
        # From a stream of its own: how often a place is drawn again must not move the draws of anything else.
        rng = stream(self.seed, draw.number, REDRAW, draw.stem)
        for attempt in range(DRAWS):
            if attempt > 0:
                place = self._within(usable[int(rng.integers(len(usable)))], rng.random(), samples)
            read = {target: place.track.read(target, place.start, samples) for target in heard}
            if not is_silent(np.sum(list(read.values()), axis=0)):
                break
        return place, read  # after the last attempt a silent one: a split of silence must not hang the training

    def target(self, number: int, count: int) -> int:
        """Which of the targets may not be silent in a chunk whose stems are all from one song."""
        return int(stream(self.seed, number, HEARD).integers(count))

    def _within(self, index: int, position: float, samples: int) -> ChunkPlace:
        track = self.tracks[index]
        return ChunkPlace(track, int(position * (max(0, track.frames - samples) + 1)))


@lru_cache(maxsize=32)  # of eight stems in two passes, between which the numbers of a batch may lie, and to spare
def _order(seed: int, turn: int, stem: int, count: int) -> np.ndarray:
    return stream(seed, turn, ORDER, stem).permutation(count)
