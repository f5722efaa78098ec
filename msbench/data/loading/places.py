"""Places: from where in which track a training chunk is cut."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np

from msbench.data.loading.adapted import AdaptedTrack

Sampling = Literal["random", "exhaustive", "balanced"]

SILENCE_DB = -60.0  # a stem below this is silent: RMS over all channels of what is read, relative to full scale
DRAWS = 20  # of a place at most: a stem that plays an eighth of the time is found in 93 chunks of 100

# What spawned streams of random numbers are for; a new one comes last.
REDRAW, HEARD, ORDER, STRETCH, PITCH, FORMANTS, BAD = range(7)


class Place(NamedTuple):
    """The first sample of a chunk, at the model's rate, and its track."""

    track: AdaptedTrack
    start: int


def consecutive(tracks: Sequence[AdaptedTrack], samples: int) -> list[Place]:
    """The places of chunks that hold every sample of every track once."""
    return [Place(track, start) for track in tracks for start in range(0, track.frames, samples)]


def is_silent(audio: np.ndarray) -> bool:
    """Whether the level of (C, T) is below `SILENCE_DB`."""
    return float(np.vdot(audio, audio)) < 10 ** (SILENCE_DB / 10) * audio.size


def stream(seed: int, number: int, *which: int) -> np.random.Generator:
    """The random numbers of a chunk, or those spawned from them for one purpose: they leave the others as they are."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, *which)))


class Places:
    """Where the stems of chunk n come from; a function of (seed, n) alone, like all of the chunk.

    Args:
        tracks: To cut from.
        samples: Of a chunk.
        sampling: "random": a song drawn evenly from all, then the position evenly within it. "exhaustive": all
            consecutive places of all tracks in an order drawn anew for each pass, which goes on across epochs; no place
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
        self._all = consecutive(tracks, samples) if sampling == "exhaustive" else []

    def find(
        self,
        number: int,
        stem: int,
        song: int,
        position: float,
        samples: int,
        heard: Sequence[str],
        sound: Sequence[int],
    ) -> tuple[Place, dict[str, np.ndarray]]:
        """The place of a stem of a chunk.

        Args:
            number: Of the chunk.
            stem: With remix each stem has a place of its own; without, that of stem 0 is for all.
            song: Drawn from the sound tracks; random and balanced sampling begin with it, and exhaustive sampling
                takes it where a place's own track is bad.
            position: Drawn from 0 to 1, within the song.
            samples: To be read there: more than a chunk's where they are played faster.
            heard: Targets whose sum may not be silent, for balanced sampling.
            sound: The tracks that can be read.

        Returns:
            The place, and (C, samples) of each of `heard` if they had to be read for it.
        """
        if self.sampling == "exhaustive":
            turn, i = divmod(number, len(self._all))
            place = self._all[_order(self.seed, turn, stem, len(self._all))[i]]
            if len(sound) == len(self.tracks) or any(place.track is self.tracks[k] for k in sound):
                return place, {}
            return self._within(song, position, samples), {}
        place = self._within(song, position, samples)
        if self.sampling == "random":
            return place, {}
        rng = stream(self.seed, number, REDRAW, stem)
        for draw in range(DRAWS):
            if draw > 0:
                place = self._within(sound[int(rng.integers(len(sound)))], rng.random(), samples)
            read = {target: place.track.read(target, place.start, samples) for target in heard}
            if not is_silent(np.sum(list(read.values()), axis=0)):
                break
        return place, read

    def target(self, number: int, count: int) -> int:
        """Which of the targets may not be silent in a chunk whose stems are of one song."""
        return int(stream(self.seed, number, HEARD).integers(count))

    def _within(self, song: int, position: float, samples: int) -> Place:
        track = self.tracks[song]
        return Place(track, int(position * (max(0, track.frames - samples) + 1)))


@lru_cache(maxsize=32)  # the stems of two passes, between which the numbers of a batch may lie
def _order(seed: int, turn: int, stem: int, count: int) -> np.ndarray:
    return stream(seed, turn, ORDER, stem).permutation(count)
