"""What is drawn for the stems of a chunk: from which song each is, where within it, and how it is changed."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np

from msbench.data.loading.augmentation import DRAWN_EVENLY, Augmentation, StemChange
from msbench.data.loading.draws import BAD, stream
from msbench.data.loading.places import StemDraw


class Drawn(NamedTuple):
    """All that is drawn for a chunk."""

    stems: list[StemDraw]  # the same one for stems of one song, which so are in time
    changes: list[StemChange]
    remixed: bool  # each stem is of a song of its own


class StemDraws:
    """What is drawn for chunk n; a function of (seed, n) and of which tracks are bad.

    Args:
        augmentation: What is drawn.
        seed: Not negative.
        tracks: How many there are.
        parts: For each target the stems, by index, that it sums.
        stems: How many there are.
    """

    def __init__(
        self, augmentation: Augmentation, seed: int, tracks: int, parts: Sequence[Sequence[int]], stems: int
    ) -> None:
        self.augmentation = augmentation
        self.seed = seed
        self.tracks = tracks
        # For each stem the first of those that targets sum with it, whose gain is that of all of them.
        self._leaders = np.arange(stems)
        for part in parts:
            leaders = self._leaders[list(part)]
            self._leaders[np.isin(self._leaders, leaders)] = leaders.min()

    def usable(self, bad: Set[int]) -> Sequence[int]:
        """The tracks, by index, that are not bad."""
        tracks = range(self.tracks)  # as it is where none is bad, for each chunk asks
        return [i for i in tracks if i not in bad] if bad else tracks

    def of(self, number: int, bad: Set[int]) -> Drawn:
        """What is drawn for chunk `number` without the tracks in `bad`."""
        drawn = self._own(number, bad)
        if not self.augmentation.remixes(self.seed, number):
            return self._from([drawn] * len(drawn.stems), drawn)
        if self.augmentation.remix_group is None:
            return drawn._replace(remixed=True)
        numbers = self.augmentation.exchanged_with(self.seed, number, len(drawn.stems))
        others = {other: self._own(other, bad) for other in set(numbers)}
        return self._from([others[other] for other in numbers], drawn)

    def _own(self, number: int, bad: Set[int]) -> Drawn:
        """Every stem from a song of its own."""
        # Another stream for other bad tracks, not a second draw from the same: what was drawn before a file went bad
        # depends on the process, and the chunk must not.
        rng = stream(self.seed, number, BAD, *sorted(bad)) if bad else stream(self.seed, number)
        usable, count = self.usable(bad), len(self._leaders)
        # All is drawn in one order whether it is needed or not, so that no option moves the draws of another.
        tracks = [usable[i] for i in rng.integers(len(usable), size=count)]
        positions, gains, *uniform = rng.random((1 + DRAWN_EVENLY, count))
        changes = self.augmentation.draw(self.seed, number, [gains[self._leaders], *uniform])
        return Drawn([StemDraw(number, i, tracks[i], positions[i]) for i in range(count)], changes, False)

    @staticmethod
    def _from(chunks: Sequence[Drawn], drawn: Drawn) -> Drawn:
        """Each stem from the one song of one of these chunks, played as that; what else changes it stays its own."""
        changes = [
            change._replace(replay=chunk.changes[0].replay) for chunk, change in zip(chunks, drawn.changes, strict=True)
        ]
        return Drawn([chunk.stems[0] for chunk in chunks], changes, False)
