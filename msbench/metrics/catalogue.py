"""The metrics in addition to BSSEval: one row per metric, and the values of one track.

To add a metric, write its function in a module of this folder and its row in `METRICS`. All but `mean-sdr` are
numbers of a whole track, not of its windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from msbench.metrics import global_nsdr, perceptual, ratios, scale_invariant, spectral
from msbench.metrics.products import Products
from msbench.records import metric_id
from msbench.records.metric_id import MetricId
from msbench.system.wording import did_you_mean

VOICES = ("vocals", "voice", "speech")  # names of targets

_NO_REFERENCE = "the reference is silent from end to end"
_NOTHING_OF_IT = "minus infinity, because nothing of the reference is in the estimate"
_NO_VOICE = f"no window of {perceptual.WINDOW_SECONDS} s with enough voice in the reference"


@dataclass(frozen=True)
class ScoredTrack:
    """What the values of one track are computed from.

    Attributes:
        targets: S names.
        products: Of the estimates, references and mixture: one reading serves every energy ratio.
        estimates: (S, C, T), an array or a reader, see `msbench.metrics.signals`.
        references: The same.
        mixture: (1, C, T), the same.
        sample_rate: In Hz.
        windows: (S, windows), BSSEval's SDR in dB of each.
    """

    targets: Sequence[str]
    products: Products
    estimates: Any
    references: Any
    mixture: Any
    sample_rate: int
    windows: np.ndarray


@dataclass(frozen=True)
class Metric:
    """All that msbench knows of a metric.

    Attributes:
        name: Of `--metrics` and of a suite's `metrics`; the metric id begins with it.
        function: One value per target of a track; for voices alone, where the metric is `of_voices`.
        title: What it is, in words; see `msbench.metrics.wording`.
        settings: Of the metric id, `name=value` each: everything that changes the number.
        undefined: Why a value is NaN; empty where none ever is.
        infinite: Why a value is infinite; empty where none ever is.
        minus_infinite: Why a value is minus infinity; empty where none ever is.
        unit: Shown on the pages of a board; empty for a number without a unit.
        lower_is_better: Whether it is a distance; all others are better when higher.
        by_default: Whether it is scored where no metrics are named.
        of_all_targets: Whether it depends on which other targets are scored; its id then names them all.
        of_voices: Whether it scores voices alone.
        library: What it needs of the extra `msbench[perceptual]`.
    """

    name: str
    function: Callable[[ScoredTrack], np.ndarray]
    title: str
    settings: tuple[str, ...]
    undefined: str = ""
    infinite: str = ""
    minus_infinite: str = ""
    unit: str = "dB"
    lower_is_better: bool = False
    by_default: bool = False
    of_all_targets: bool = False
    of_voices: bool = False
    library: str | None = None

    def id_of(self, targets: Sequence[str]) -> str:
        """The metric id for the targets scored together."""
        found = MetricId(self.name, self.settings)
        return str(found.of(targets) if self.of_all_targets else found)

    def reason(self, value: float) -> str:
        """Why a value is not a finite number, in one sentence."""
        why = {np.inf: self.infinite, -np.inf: self.minus_infinite}.get(value, self.undefined)
        return f"{self.name}: {why or f'the value is {value}'}"


def mean_of(windows: np.ndarray) -> float:
    """Over the windows that have a finite score; NaN where none has."""
    known = windows[np.isfinite(windows)]
    return float(known.mean()) if len(known) else float("nan")


METRICS = (
    Metric(
        "si-sdr",
        lambda track: scale_invariant.si_sdr_of(track.products),
        title="SI-SDR",
        settings=("channels=joint",),
        undefined="the reference or the estimate is silent from end to end",
        infinite="infinite, because the estimate is the reference, but for a gain",
        minus_infinite=_NOTHING_OF_IT,
        by_default=True,
    ),
    Metric(
        "si-sir",
        lambda track: scale_invariant.si_sir_of(track.products),
        title="SI-SIR",
        settings=("channels=joint",),
        undefined="the reference is silent from end to end, or the estimate holds nothing of any reference",
        infinite="infinite, because the estimate holds nothing of the other references",
        minus_infinite=_NOTHING_OF_IT,
        by_default=True,
        of_all_targets=True,
    ),
    Metric(
        "si-sar",
        lambda track: scale_invariant.si_sar_of(track.products),
        title="SI-SAR",
        settings=("channels=joint",),
        undefined="the reference is silent from end to end, or the estimate holds neither the reference nor artifacts",
        infinite="infinite, because the estimate is a sum of the references, without artifacts",
        minus_infinite=_NOTHING_OF_IT,
        by_default=True,
        of_all_targets=True,
    ),
    Metric(
        "snr",
        lambda track: ratios.snr_of(track.products),
        title="SNR of the whole track",
        settings=("channels=joint",),
        undefined=_NO_REFERENCE,
        infinite="infinite, because the estimate is the reference",
        by_default=True,
    ),
    Metric(
        "track-sdr",
        lambda track: ratios.track_sdr_of(track.products),
        title="SDR of the Music Demixing Challenge",
        settings=(f"delta={ratios.DELTA:g}",),
        undefined=_NO_REFERENCE,
        by_default=True,
    ),
    Metric(
        "nsdr",
        lambda track: ratios.nsdr_of(track.products),
        title="NSDR, the gain in SDR over the mixture",
        settings=("of=track-sdr", f"delta={ratios.DELTA:g}"),
        undefined=_NO_REFERENCE,
        by_default=True,
    ),
    Metric(  # of a track, the mean of BSSEval's SDR over windows; of a dataset, the mean over tracks
        metric_id.MEAN_SDR.family,
        lambda track: np.array([mean_of(of_target) for of_target in track.windows]),
        title="SDR by BSSEval v4",
        settings=metric_id.MEAN_SDR.settings,
        undefined="no window with a finite score",
        by_default=True,
        of_all_targets=True,
    ),
    Metric(  # of a track, the NSDR; of a dataset, the mean over tracks, weighted by their lengths
        "gnsdr",
        lambda track: global_nsdr.gnsdr(track.estimates, track.references, track.mixture),
        title="GNSDR, the gain in SDR over the mixture",
        settings=("of=bsseval-v3", "filters=512", "channels=mean", metric_id.BY_LENGTH),
        undefined="the reference or the estimate is silent from end to end",
        infinite="infinite, because the estimate is the reference, but for a filter",
    ),
    Metric(
        "l1-spectrogram",
        lambda track: spectral.l1_spectrogram(track.estimates, track.references),
        title="L1 distance of magnitude spectrograms",
        settings=(f"win={spectral.WINDOW}", f"hop={spectral.HOP}"),
        unit="",
        lower_is_better=True,
    ),
    Metric(
        "stoi",
        lambda track: perceptual.stoi(track.estimates, track.references, track.sample_rate),
        title="STOI of voices",
        settings=(f"win={perceptual.WINDOW_SECONDS}", "agg=median", "channels=mean"),
        undefined=_NO_VOICE,
        unit="",
        of_voices=True,
        library="pystoi",
    ),
    Metric(
        "pesq",
        lambda track: perceptual.pesq(track.estimates, track.references, track.sample_rate),
        title="PESQ of voices",
        settings=("mode=wb", f"win={perceptual.WINDOW_SECONDS}", "agg=median", "channels=mean"),
        undefined=_NO_VOICE,
        unit="",
        of_voices=True,
        library="pesq",
    ),
)
BY_NAME = {metric.name: metric for metric in METRICS}
NAMES = tuple(BY_NAME)
DEFAULT = tuple(metric.name for metric in METRICS if metric.by_default)


def check_names(names: Sequence[str], targets: Sequence[str]) -> None:
    """Say at once what cannot be scored.

    Raises:
        ValueError: If a name is unknown, or a voice's metric is asked for where no target is a voice.
        ModuleNotFoundError: If a library is not installed.
    """
    for name in names:
        if name not in BY_NAME:
            hint = did_you_mean(name, NAMES)
            raise ValueError(f"unknown metric '{name}'. {hint}In addition to BSSEval, there are {', '.join(NAMES)}.")
        metric = BY_NAME[name]
        if metric.library is not None:
            perceptual.require_library(metric.library)
        if metric.of_voices and not set(targets) & set(VOICES):
            raise ValueError(f"{name} scores voices ({', '.join(VOICES)}), not {', '.join(targets)}")


def metric_ids(names: Sequence[str], targets: Sequence[str]) -> dict[str, str]:
    """{name: metric id} for the targets scored together."""
    return {name: BY_NAME[name].id_of(targets) for name in names}


def unit_of(family: str) -> str:
    """The unit of a metric id's family; "dB" for those that are not in the table, which are BSSEval's and its kin."""
    return BY_NAME[family].unit if family in BY_NAME else "dB"


def is_lower_better(family: str) -> bool:
    """Whether the best value of a metric id's family is the lowest; BSSEval's are not in the table."""
    return family in BY_NAME and BY_NAME[family].lower_is_better


def score(names: Sequence[str], track: ScoredTrack) -> dict[str, dict[str, float]]:
    """{target: {name: value}} of one track; NaN or infinite where there is none (`reason` says why).

    Args:
        names: Of NAMES.
        track: Its signals and what has been computed of them.
    """
    found: dict[str, dict[str, float]] = {target: {} for target in track.targets}
    for metric in (BY_NAME[name] for name in names):
        scored = _voices_of(track) if metric.of_voices else track
        for target, value in zip(scored.targets, metric.function(scored), strict=True):
            found[target][metric.name] = float(value)
    return found


def reason(name: str, value: float) -> str:
    """Why a value of a metric is not a finite number, in one sentence."""
    return BY_NAME[name].reason(value)


def _voices_of(track: ScoredTrack) -> ScoredTrack:
    """The targets that are voices, with their signals and windows; the products stay those of all targets."""
    chosen = [i for i, target in enumerate(track.targets) if target in VOICES]
    return replace(
        track,
        targets=[track.targets[i] for i in chosen],
        estimates=Chosen(track.estimates, chosen),
        references=Chosen(track.references, chosen),
        windows=track.windows[chosen],
    )


class Chosen:
    """Some of the sources of signals that are read where they are sliced."""

    def __init__(self, signals: Any, sources: list[int]) -> None:
        self.signals, self.sources = signals, sources
        self.shape = (len(sources), *signals.shape[1:])

    def __getitem__(self, key: tuple[Any, slice]) -> np.ndarray:
        block: np.ndarray = self.signals[key][self.sources]
        return block
