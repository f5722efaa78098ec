"""The metrics in addition to BSSEval: their names, their ids, and one track's values of those asked for.

A metric id carries everything that changes the number. All but `mean-sdr` are numbers of a whole track, not of its
windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from msbench.metrics import perceptual, ratios, scale_invariant, spectral
from msbench.metrics.products import Products
from msbench.records import metric_id
from msbench.records.metric_id import MetricId
from msbench.system.wording import did_you_mean

RATIOS: dict[str, Callable[[Products], np.ndarray]] = {  # one reading serves them all
    "si-sdr": scale_invariant.si_sdr_of,
    "si-sir": scale_invariant.si_sir_of,
    "si-sar": scale_invariant.si_sar_of,
    "snr": ratios.snr_of,
    "track-sdr": ratios.track_sdr_of,
    "nsdr": ratios.nsdr_of,
}
VOICE_METRICS: dict[str, Callable[[Any, Any, int], np.ndarray]] = {
    "stoi": perceptual.stoi,
    "pesq": perceptual.pesq,
}
MEAN_SDR = metric_id.MEAN_SDR.family  # BSSEval's, the mean over windows; of a dataset, the mean over tracks
NAMES = (*RATIOS, MEAN_SDR, "l1-spectrogram", *VOICE_METRICS)
DEFAULT = (*RATIOS, MEAN_SDR)
VOICES = ("vocals", "voice", "speech")

_SETTINGS = {
    "si-sdr": ("channels=joint",),
    "si-sir": ("channels=joint",),
    "si-sar": ("channels=joint",),
    "snr": ("channels=joint",),
    "track-sdr": (f"delta={ratios.DELTA:g}",),
    "nsdr": ("of=track-sdr", f"delta={ratios.DELTA:g}"),
    MEAN_SDR: metric_id.MEAN_SDR.settings,
    "l1-spectrogram": (f"win={spectral.WINDOW}", f"hop={spectral.HOP}"),
    "stoi": (f"win={perceptual.WINDOW_SECONDS}", "agg=median", "channels=mean"),
    "pesq": ("mode=wb", f"win={perceptual.WINDOW_SECONDS}", "agg=median", "channels=mean"),
}
_OF_ALL_TARGETS = ("si-sir", "si-sar", MEAN_SDR)  # which other targets are scored changes these
_NO_DIGITS = {
    np.inf: "infinite, because what it divides by is zero",
    -np.inf: "minus infinity, because nothing of the reference is in the estimate",
}


def check_names(names: Sequence[str], targets: Sequence[str]) -> None:
    """Say at once what cannot be scored.

    Raises:
        ValueError: If a name is unknown, or a voice's metric is asked for where no target is a voice.
        ModuleNotFoundError: If a library is not installed.
    """
    for name in names:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES)
            raise ValueError(f"unknown metric '{name}'. {hint}In addition to BSSEval, there are {', '.join(NAMES)}.")
        if name in VOICE_METRICS:
            perceptual.require_library(name)
            if not set(targets) & set(VOICES):
                raise ValueError(f"{name} scores voices ({', '.join(VOICES)}), not {', '.join(targets)}")


def metric_ids(names: Sequence[str], targets: Sequence[str]) -> dict[str, str]:
    """{name: metric id} for the targets scored together."""
    ids = {name: MetricId(name, _SETTINGS[name]) for name in names}
    return {name: str(each.of(targets) if name in _OF_ALL_TARGETS else each) for name, each in ids.items()}


def score(
    names: Sequence[str],
    products: Products,
    signals: tuple[Any, Any],
    targets: Sequence[str],
    sample_rate: int,
    windows: np.ndarray,
) -> dict[str, dict[str, float]]:
    """{target: {name: value}} of one track; NaN or infinite where there is none (`reason` says why).

    Args:
        names: Of NAMES.
        products: Of the estimates, references and mixture.
        signals: Estimates and references, (S, C, T) both, arrays or readers, see `msbench.metrics.signals`.
        targets: S names.
        sample_rate: In Hz.
        windows: (S, windows), BSSEval's SDR in dB of each.
    """
    estimates, references = signals
    found: dict[str, dict[str, float]] = {target: {} for target in targets}
    for name in names:
        chosen = list(range(len(targets)))
        if name in RATIOS:
            values = RATIOS[name](products)
        elif name == MEAN_SDR:
            values = np.array([mean_of(of_target) for of_target in windows])
        elif name in VOICE_METRICS:
            chosen = [i for i in chosen if targets[i] in VOICES]
            values = VOICE_METRICS[name](Chosen(estimates, chosen), Chosen(references, chosen), sample_rate)
        else:
            values = spectral.l1_spectrogram(estimates, references)
        for i, value in zip(chosen, values, strict=True):
            found[targets[i]][name] = float(value)
    return found


def mean_of(windows: np.ndarray) -> float:
    """Over the windows that have a finite score; NaN where none has."""
    known = windows[np.isfinite(windows)]
    return float(known.mean()) if len(known) else float("nan")


def reason(name: str, value: float) -> str:
    """Why a value is not a finite number, in one sentence."""
    if name in VOICE_METRICS:
        return f"{name}: no window of {perceptual.WINDOW_SECONDS} s with enough voice in the reference"
    if name == MEAN_SDR:
        return f"{name}: no window with a score"
    return f"{name}: {_NO_DIGITS.get(value, 'the reference or the estimate is silent from end to end')}"


class Chosen:
    """Some of the sources of signals that are read where they are sliced."""

    def __init__(self, signals: Any, sources: list[int]) -> None:
        self.signals, self.sources = signals, sources
        self.shape = (len(sources), *signals.shape[1:])

    def __getitem__(self, key: tuple[Any, slice]) -> np.ndarray:
        block: np.ndarray = self.signals[key][self.sources]
        return block
