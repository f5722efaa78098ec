"""Metric ids: everything that changes a number, in one line such as ``si-sir;channels=joint;targets=bass,drums``.

Numbers of different ids are never ranked together, so the text is part of the file format of records and boards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

_TARGETS = ";targets="
MEDIANS = "agg=median-median"
POOLED = "agg=median-pooled"
BY_LENGTH = "agg=mean-by-length"


@dataclass(frozen=True)
class MetricId:
    """A metric and all of its settings; ``str`` gives the text of a record, and `parse` reads it.

    Attributes:
        family: The metric and its version: `bsseval-v4`, `si-sdr`.
        settings: In the order of the text, most of them `name=value`: `win=1`, `agg=median-median`.
        targets: Those that were scored together, where that changes the number; else empty.
    """

    family: str
    settings: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> MetricId:
        """Take a metric id apart; any text has parts, so that the ids of other tools can be read.

        >>> MetricId.parse("si-sir;channels=joint;targets=bass,drums")
        MetricId(family='si-sir', settings=('channels=joint',), targets=('bass', 'drums'))
        """
        head, mark, targets = text.rpartition(_TARGETS)
        family, *settings = (head if mark else text).split(";")
        return cls(family, tuple(settings), tuple(targets.split(",")) if mark else ())

    def __str__(self) -> str:
        text = ";".join((self.family, *self.settings))
        return f"{text}{_TARGETS}{','.join(self.targets)}" if self.targets else text

    @property
    def is_of_means(self) -> bool:
        """Whether a dataset's number is the mean over tracks of the mean over windows, not the median of medians."""
        return "agg=mean-mean" in self.settings

    @property
    def is_pooled(self) -> bool:
        """Whether a dataset's number is the median over the windows of all tracks at once."""
        return POOLED in self.settings

    @property
    def is_by_length(self) -> bool:
        """Whether a dataset's number is the mean over tracks, weighted by their lengths."""
        return BY_LENGTH in self.settings

    def pooled(self) -> MetricId:
        """The same metric, its windows pooled over tracks: Wave-U-Net's figures (Evaluate.py, compute_mean_metrics)."""
        return replace(self, settings=tuple(POOLED if each == MEDIANS else each for each in self.settings))

    def with_setting(self, setting: str) -> MetricId:
        """The same metric with one more setting."""
        return replace(self, settings=(*self.settings, setting))

    def of(self, targets: Iterable[str]) -> MetricId:
        """The same metric of targets that are scored together; which they are matters, their order does not."""
        return replace(self, targets=tuple(sorted(targets)))


_WINDOWS = ("win=1", "hop=1", "filters=512")  # in seconds; taps
BSSEVAL = MetricId("bsseval-v4", (*_WINDOWS, MEDIANS))
MEAN_SDR = MetricId("mean-sdr", (*_WINDOWS, "agg=mean-mean"))  # BSSEval's SDR
