"""BSSEval of any track is museval's, and torch's is numpy's."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msbench.metrics import bss_eval
from msbench.metrics.bsseval.museval import museval_metrics
from tests.metrics.bsseval.examples import DEVICE, assert_drop_in, signals


@dataclass
class Case:
    """One track to score and how."""

    references: np.ndarray = field(repr=False)
    estimates: np.ndarray = field(repr=False)
    flaws: list[str]
    level: float
    window: float
    hop: float
    permutation: bool
    lags: int
    framewise: bool
    sources_version: bool

    @property
    def arguments(self) -> tuple[float, float, bool, int, bool, bool]:
        """After the signals, in museval's order."""
        return self.window, self.hop, self.permutation, self.lags, self.framewise, self.sources_version


LEVELS = [1e-160, 1e-30, 1e-12, 1e-8, 1e-4, 1.0, 1.0, 1.0, 1e4, 1e30, 1e140]


def copy_of_a_stem(references: np.ndarray, _estimates: np.ndarray, source: int, _rest: slice, _power: int) -> None:
    references[source] = references[0]


def mono_stem(references: np.ndarray, _estimates: np.ndarray, source: int, _rest: slice, _power: int) -> None:
    references[source] = references[source, :, :1]


def silent_channel(references: np.ndarray, _estimates: np.ndarray, source: int, _rest: slice, _power: int) -> None:
    references[source, :, 1:] = 0


def opposite_channels(references: np.ndarray, _estimates: np.ndarray, source: int, rest: slice, _power: int) -> None:
    references[source, rest, 1:] = -references[source, rest, :1]


def silent_reference(references: np.ndarray, _estimates: np.ndarray, source: int, rest: slice, _power: int) -> None:
    references[source, rest] = 0


def silent_estimate(_references: np.ndarray, estimates: np.ndarray, source: int, rest: slice, _power: int) -> None:
    estimates[source, rest] = 0


def silence(references: np.ndarray, estimates: np.ndarray, _source: int, rest: slice, _power: int) -> None:
    references[:, rest], estimates[:, rest] = 0, 0


def perfect_estimate(references: np.ndarray, estimates: np.ndarray, source: int, _rest: slice, _power: int) -> None:
    estimates[source] = references[source]


def nearly_perfect(references: np.ndarray, estimates: np.ndarray, _source: int, _rest: slice, power: int) -> None:
    estimates[:] = references + 10.0**-power * (estimates - references)


def mixture_as_estimate(references: np.ndarray, estimates: np.ndarray, _source: int, _rest: slice, _power: int) -> None:
    estimates[:] = references.sum(axis=0)


def clipped(_references: np.ndarray, estimates: np.ndarray, _source: int, _rest: slice, _power: int) -> None:
    np.clip(estimates, -0.08, 0.08, out=estimates)


def band_limited(references: np.ndarray, _estimates: np.ndarray, _source: int, _rest: slice, power: int) -> None:
    spectrum = np.fft.rfft(references, axis=1)
    spectrum[:, spectrum.shape[1] // 2 :] *= 10.0**-power
    references[:] = np.fft.irfft(spectrum, references.shape[1], axis=1)


def louder_stem(references: np.ndarray, estimates: np.ndarray, source: int, _rest: slice, power: int) -> None:
    references[source] *= 10.0**power
    estimates[source] *= 10.0**power


def no_number(references: np.ndarray, estimates: np.ndarray, source: int, rest: slice, power: int) -> None:
    (references if power % 2 else estimates)[source, rest.start] = [np.nan, np.inf, -np.inf][power % 3]


FLAWS = [
    copy_of_a_stem,
    mono_stem,
    silent_channel,
    opposite_channels,
    silent_reference,
    silent_estimate,
    silence,
    perfect_estimate,
    nearly_perfect,
    mixture_as_estimate,
    clipped,
    band_limited,
    louder_stem,
    no_number,
]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    sources, channels = draw(st.integers(1, 6)), draw(st.integers(1, 2))
    length = draw(st.one_of(st.integers(1, 60), st.integers(60, 1500), st.integers(60, 1500)))
    lags = draw(st.sampled_from([1, 2, 5, 16, 32]))
    shape = (sources, length, channels)
    references, estimates = signals(shape, draw(st.integers(0, 2**16)), draw(st.floats(0, 1)), draw(st.floats(0, 0.3)))
    flaws = draw(st.lists(st.sampled_from(FLAWS), max_size=2))
    for flaw in flaws:
        start = draw(st.integers(0, length - 1))
        rest = slice(start, start + length // 3)
        flaw(references, estimates, draw(st.integers(0, sources - 1)), rest, draw(st.integers(0, 9)))
    window = draw(st.sampled_from([length // 3 + 1, length // 4 + 1, 40, length, 2 * length, np.inf, 100.5]))
    hop = max(1, window * draw(st.sampled_from([1, 1, 0.5, 1.5])))
    level = draw(st.sampled_from(LEVELS))
    match draw(st.sampled_from(["float64", "float64", "float32", "int16"])):
        case "float32":
            references, estimates = references.astype(np.float32), estimates.astype(np.float32)
        case "int16" if no_number not in flaws:
            references, estimates = ((2000 * part).astype(np.int16) for part in (references, estimates))
        case _:
            references, estimates = references * level, estimates * level * draw(st.sampled_from([1.0, 1.0, 1e-9, 1e3]))
    if channels == 1 and draw(st.booleans()):
        references, estimates = references[..., 0], estimates[..., 0]
    return Case(
        references,
        estimates,
        [flaw.__name__ for flaw in flaws],
        level,
        window,
        hop,
        draw(st.booleans()) and sources < 5,
        lags,
        draw(st.booleans()),
        draw(st.booleans()),
    )


@settings(max_examples=250, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_any_track_has_musevals_scores_warnings_and_errors(case: Case) -> None:
    assert_drop_in(bss_eval, museval_metrics().bss_eval, case.references, case.estimates, *case.arguments)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_torch_has_them_too(case: Case) -> None:
    ours = partial(bss_eval, device=DEVICE)
    assert_drop_in(ours, museval_metrics().bss_eval, case.references, case.estimates, *case.arguments)
