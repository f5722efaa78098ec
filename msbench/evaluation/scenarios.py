"""Which targets are scored together: the source's own, and a second set whose targets may be sums of its estimates.

BSSEval's numbers of a target depend on the others that it is scored with. museval scores vocals against accompaniment,
the sum of all other stems, apart from the four stems (`eval_mus_track`); SiSEC 2018 calls that a scenario.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from msbench.data.track import Track
from msbench.evaluation.signals import Read
from msbench.evaluation.sources import EstimateSource, ScoredSet, data_has
from msbench.metrics import catalogue
from msbench.records.types import TrackResult

REST = "rest"  # what a model of few targets leaves of the mixture, scored as one more


class Scenario(NamedTuple):
    """Targets that are scored together.

    Attributes:
        sums: {target: the estimates that add up to it}.
        rest: The name of what these leave of the mixture, scored as one more target: SIR and SAR need all that is in
            the mixture. None where they leave nothing.
        folder: Of the output, for the tracks' results; empty for the source's own targets.
    """

    sums: Mapping[str, tuple[str, ...]]
    rest: str | None
    folder: str = ""

    @property
    def targets(self) -> list[str]:
        """In the order of the scores."""
        return [*self.sums, *([] if self.rest is None else [self.rest])]

    @property
    def estimates(self) -> list[str]:
        """Those that it needs."""
        return [name for parts in self.sums.values() for name in parts]

    def metrics(self, names: Sequence[str]) -> list[str]:
        """Those of the metrics in addition to BSSEval that are scored: voices by themselves only once."""
        return [name for name in names if self.folder == "" or not catalogue.BY_NAME[name].of_voices]

    def read(self, estimated: Sequence[str], read: Read) -> Read:
        """Reads the sums, (S, C, n), where `read` gives the estimates of these names."""
        places = [[list(estimated).index(name) for name in parts] for parts in self.sums.values()]
        if places == [[i] for i in range(len(estimated))]:
            return read

        def sums(start: int, stop: int) -> np.ndarray:
            block = read(start, stop)
            return np.stack([block[part].sum(axis=0) for part in places])

        return sums


class Scores(NamedTuple):
    """What a scenario's scoring gave."""

    scenario: Scenario
    tracks: dict[str, TrackResult]


def own_scenario(source: EstimateSource, track: Track) -> Scenario:
    """The source's own targets."""
    return Scenario({name: (name,) for name in source.targets}, None if track.covers(source.targets) else REST)


def scenarios_of(source: EstimateSource, scored: ScoredSet, further: Sequence[str]) -> list[Scenario]:
    """The source's own targets, and `further` ones where they are others.

    A target without estimates is what the other ones leave of the mixture, so that a model of vocals alone has its
    accompaniment. That target's reference is the dataset's own in each case.

    Raises:
        ValueError: If the dataset lacks one of them, they overlap, or the source has estimates of too few.
    """
    track = scored.tracks[0]
    own = own_scenario(source, track)
    if not further or sorted(further) == sorted(own.targets):
        return [own]
    for target in further:
        data_has(scored.data, target)
    stems = [part for target in further for part in track.parts(target)]
    if len(set(stems)) != len(stems):
        raise ValueError(f"the targets {', '.join(further)} of the scenario overlap: leave one out")
    parts = {target: (target,) if target in source.estimated else track.parts(target) for target in further}
    sums = {target: names for target, names in parts.items() if set(names) <= set(source.estimated)}
    without = [target for target in further if target not in sums]
    covers = track.covers(list(further))
    if not sums or len(without) > 1 or (without and not covers):
        raise ValueError(
            f"the scenario {','.join(further)} needs estimates of {', '.join(without)}, and there are only those of "
            f"{', '.join(source.estimated)}: leave the scenario out (of a suite's entry: `scenario: []`)"
        )
    rest = without[0] if without else None if covers else REST
    return [own, Scenario(sums, rest, "+".join(sorted(further)))]
