"""Scores of a track from those of its windows, as museval's files have them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from msbench.records.schema import METRICS
from msbench.records.types import Frame


def medians_over_windows(frames: Iterable[Frame]) -> dict[str, float | None]:
    """{score: median over the windows that have a finite one}, in dB; None where no window has."""
    windows = [frame["metrics"] for frame in frames]
    known = {metric: [float(each[metric]) for each in windows if math.isfinite(each[metric])] for metric in METRICS}
    return {metric: median(values) if values else None for metric, values in known.items()}
