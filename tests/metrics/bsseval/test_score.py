"""The fast BSSEval against museval's: fuzzed, in closed form, at the edges, and on bad input."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msbench.metrics import bss_eval
from msbench.metrics.bsseval import score as bsseval
from msbench.metrics.bsseval.correlation import Correlator
from msbench.metrics.bsseval.museval import museval_metrics

BAR_DB = 1e-6
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def assert_museval(scores: Any, references: Any, estimates: Any, *arguments: Any) -> None:
    """Same NaN and infinities as museval's own, within the bar elsewhere, same permutation."""
    with np.errstate(all="ignore"):
        expected = museval_metrics().bss_eval(references, estimates, *arguments)
    np.testing.assert_array_equal(scores[4], expected[4])
    for value, wanted in zip(scores[:4], expected[:4], strict=True):
        np.testing.assert_allclose(value, wanted, rtol=0, atol=BAR_DB)


@pytest.fixture
def no_handing_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast backend may not fall back on museval."""

    def refuse() -> None:
        pytest.fail("handed over to museval")

    monkeypatch.setattr(bsseval, "museval_metrics", refuse)


def signals(shape: tuple[int, int, int], seed: int = 0, leak: float = 0.1, noise: float = 0.02) -> Any:
    """References of 16 bits and estimates that leak and are noisy."""
    rng = np.random.default_rng(seed)
    references = np.round(0.1 * rng.standard_normal(shape) * 32768) / 32768
    delayed = np.roll(references, 2, axis=1)
    estimates = 0.8 * references + 0.1 * delayed + leak * np.roll(references, 1, axis=0)
    return references, estimates + noise * rng.standard_normal(shape)


# ---------------------------------------------------------------------------------------------------------- fuzz


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
        case "int16":
            references, estimates = ((2000 * part).astype(np.int16) for part in (references, estimates))
        case _:
            references, estimates = references * level, estimates * level * draw(st.sampled_from([1.0, 1.0, 1e-9, 1e3]))
    return Case(
        references,
        estimates,
        [flaw.__name__ for flaw in flaws],
        level,
        window,
        hop,
        draw(st.booleans()) and sources < 5,
        lags,
    )


@settings(max_examples=250, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_any_track_has_musevals_scores(case: Case) -> None:
    arguments = (case.window, case.hop, case.permutation, case.lags)
    sounding = [part.sum(axis=2).any(axis=1).all() for part in (case.references, case.estimates)]
    if all(sounding):
        scores = bss_eval(case.references, case.estimates, *arguments)
        assert_museval(scores, case.references, case.estimates, *arguments)
    else:
        with pytest.raises(ValueError, match="silent from end to end"):
            bss_eval(case.references, case.estimates, *arguments)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_torch_has_them_too(case: Case) -> None:
    if all(part.sum(axis=2).any(axis=1).all() for part in (case.references, case.estimates)):
        arguments = (case.window, case.hop, case.permutation, case.lags)
        scores = bss_eval(case.references, case.estimates, *arguments, device=DEVICE)
        assert_museval(scores, case.references, case.estimates, *arguments)


# ----------------------------------------------------------------------------------- by itself, where museval is sure


@pytest.mark.usefixtures("no_handing_over")
def test_torch_does_it_all_by_itself() -> None:
    references, estimates = signals((2, 30000, 2))
    scores = bss_eval(references, estimates, 8000, 8000, device=DEVICE)
    assert_museval(scores, references, estimates, 8000, 8000)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("permutation", [False, True])
@pytest.mark.parametrize(
    ("window", "hop"),
    [(4000, 4000), (4000, 3000), (3000, 4500), (20, 70), (700.5, 350.25), (np.inf, np.inf), (20000, 5), (10000, 10000)],
)
def test_windows(window: float, hop: float, permutation: bool) -> None:
    references, estimates = signals((3, 12000, 2))
    estimates = estimates[[2, 0, 1]] if permutation else estimates
    scores = bss_eval(references, estimates, window, hop, permutation, 24)
    assert_museval(scores, references, estimates, window, hop, permutation, 24)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("shape", [(1, 30000, 1), (1, 30000, 2), (2, 30000, 2), (6, 30000, 1)])
def test_512_taps(shape: tuple[int, int, int]) -> None:
    references, estimates = signals(shape)
    assert_museval(bss_eval(references, estimates, 8000, 8000), references, estimates, 8000, 8000)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("sources", [5, 6])
def test_permutations_of_many(sources: int) -> None:
    references, estimates = signals((sources, 3000, 1))
    estimates = np.roll(estimates, 2, axis=0)
    scores = bss_eval(references, estimates, 1000, 1500, True, 4)
    assert_museval(scores, references, estimates, 1000, 1500, True, 4)
    assert scores[4][:, 0].tolist() == [(source + 2) % sources for source in range(sources)]


@pytest.mark.parametrize("length", [40, 500, 700])
def test_a_track_about_as_short_as_the_filters(length: int) -> None:
    references, estimates = signals((2, length, 2))
    assert_museval(bss_eval(references, estimates, 300, 300), references, estimates, 300, 300)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("lags", [1, 2, 3, 31, 32, 33, 100])
def test_any_number_of_taps(lags: int) -> None:
    references, estimates = signals((2, 5000, 2))
    scores = bss_eval(references, estimates, 1000, 1000, filters_len=lags)
    assert_museval(scores, references, estimates, 1000, 1000, False, lags)


@pytest.mark.usefixtures("no_handing_over")
def test_mono_stems_and_copies_are_solved_without_singular_values() -> None:
    references, estimates = signals((3, 20000, 2))
    references[0, :, 1] = references[0, :, 0]
    references[2, :, 0] = references[1, :, 1]
    assert_museval(
        bss_eval(references, estimates, 5000, 5000, filters_len=64), references, estimates, 5000, 5000, False, 64
    )


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("level", [1e-9, 1e-3, 1e3, 1e60])
def test_any_level(level: float) -> None:
    references, estimates = (level * part for part in signals((2, 6000, 2)))
    assert_museval(
        bss_eval(references, estimates, 2000, 2000, filters_len=32), references, estimates, 2000, 2000, False, 32
    )


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("decibels", [40, 80, 110])
def test_good_estimates_lose_no_digits(decibels: float) -> None:
    references, _ = signals((2, 6000, 2))
    estimates = references + 10 ** (-decibels / 20) * signals((2, 6000, 2), seed=1)[0]
    assert_museval(
        bss_eval(references, estimates, 2000, 2000, filters_len=32), references, estimates, 2000, 2000, False, 32
    )


def test_what_overflows_is_musevals_nan() -> None:
    references, estimates = (1e160 * part for part in signals((2, 6000, 2)))
    assert_museval(
        bss_eval(references, estimates, 2000, 2000, filters_len=8), references, estimates, 2000, 2000, False, 8
    )


def test_what_is_rounding_noise_in_museval_comes_from_museval() -> None:
    references, _ = signals((2, 6000, 2))
    scores = bss_eval(references, references, 2000, 2000, filters_len=32)
    assert_museval(scores, references, references, 2000, 2000, False, 32)


@pytest.mark.usefixtures("no_handing_over")
def test_unless_that_is_not_wanted() -> None:
    references, _ = signals((2, 6000, 2))
    sdr, _isr, sir, sar, _ = bss_eval(references, references, 2000, 2000, filters_len=32, strict=False)
    assert np.isinf(sdr).all()
    assert (sir > 200).all()
    assert (sar > 200).all()


# --------------------------------------------------------------------------------------------------- closed form


def test_orthogonal_parts_have_known_ratios() -> None:
    """With cosines of whole periods and one tap, target, interference and artifacts are orthogonal."""
    time = np.arange(4800) / 4800
    tones = [np.cos(2 * np.pi * f * time)[:, None] for f in (100, 230, 370)]
    target, other, artifact = tones
    estimates = np.stack([target + 0.1 * other + 0.01 * artifact, other + 0.02 * target])
    sdr, isr, sir, sar, _ = bss_eval(np.stack([target, other]), estimates, 4800, 4800, filters_len=1, strict=False)
    assert sdr[0, 0] == pytest.approx(10 * np.log10(1 / (0.1**2 + 0.01**2)), abs=1e-9)
    assert sir[:, 0] == pytest.approx([20, 20 * np.log10(50)], abs=1e-9)
    assert sar[0, 0] == pytest.approx(10 * np.log10(1.01 / 0.01**2), abs=1e-9)
    assert isr[0, 0] > 200


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_gain_is_a_spatial_error_alone(gain: float) -> None:
    references, _ = signals((2, 4000, 1))
    sdr, isr, sir, _, _ = bss_eval(references, gain * references, 4000, 4000, filters_len=4, strict=False)
    expected = -20 * np.log10(abs(1 - gain))
    assert sdr == pytest.approx(np.full((2, 1), expected), abs=1e-9)
    assert isr == pytest.approx(np.full((2, 1), expected), abs=1e-9)
    assert (sir > 200).all()


# ------------------------------------------------------------------------------------------------- silence, input


@pytest.mark.parametrize("where", ["references", "estimates", "opposite channels"])
def test_a_window_with_a_silent_source_is_nan_for_all(where: str) -> None:
    references, estimates = signals((2, 6000, 2))
    if where == "opposite channels":
        references[1, 2000:4000, 1] = -references[1, 2000:4000, 0]
    else:
        {"references": references, "estimates": estimates}[where][1, 2000:4000] = 0
    scores = bss_eval(references, estimates, 2000, 2000, filters_len=16)
    for value in scores[:4]:
        np.testing.assert_array_equal(np.isnan(value), [[False, True, False]] * 2)
    assert_museval(scores, references, estimates, 2000, 2000, False, 16)


class Reader:
    """Files read where they are sliced, one sample rate, one file per source."""

    def __init__(self, paths: list[Path]) -> None:
        self.files = [soundfile.SoundFile(path) for path in paths]
        self.shape = (len(paths), self.files[0].frames, self.files[0].channels)
        self.longest = 0

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        start, stop, _ = key[1].indices(self.shape[1])
        self.longest = max(self.longest, stop - start)
        for file in self.files:
            file.seek(start)
        return np.stack([file.read(stop - start, always_2d=True) for file in self.files])


@pytest.mark.usefixtures("no_handing_over")
def test_files_are_read_in_blocks_to_the_same_numbers(tmp_path: Path) -> None:
    references, estimates = signals((2, 30000, 2))
    estimates = np.round(estimates * 32768) / 32768
    readers = []
    for kind, part in (("references", references), ("estimates", estimates)):
        paths = [tmp_path / f"{kind}{s}.wav" for s in range(2)]
        for path, signal in zip(paths, part, strict=True):
            soundfile.write(path, signal, 8000, subtype="PCM_16")
        readers.append(Reader(paths))
    for window, hop in ((4000, 4000), (4000, 3000), (np.inf, np.inf)):
        scores = bss_eval(readers[0], readers[1], window, hop, filters_len=16)
        for value, wanted in zip(scores, bss_eval(references, estimates, window, hop, filters_len=16), strict=True):
            np.testing.assert_array_equal(value, wanted)
    assert readers[0].longest < 10000


def test_tensors_lists_and_threads_make_no_difference() -> None:
    references, estimates = signals((2, 3000, 1))
    expected = bss_eval(references, estimates, 1000, 1000, filters_len=8)
    for theirs, mine in (
        (torch.from_numpy(references), torch.from_numpy(estimates).requires_grad_()),
        (references.tolist(), estimates.tolist()),
    ):
        for workers in (1, 3):
            scores = bss_eval(theirs, mine, 1000, 1000, filters_len=8, workers=workers)
            for value, wanted in zip(scores, expected, strict=True):
                np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"references": np.ones((2, 100))}, r"references must be \(source, time, channel\), not of shape \(2, 100\)"),
        ({"estimates": np.ones((2, 90, 1))}, r"differ in shape: \(2, 100, 1\) and \(2, 90, 1\)"),
        ({"backend": "matlab"}, "unknown backend 'matlab': choose fast or museval"),
        ({"filters_len": 0}, "filters_len must be 1 or more, not 0"),
        ({"window": 0}, "window and hop must be 1 sample or more, not 0 and 50"),
        ({"window": np.nan}, "window and hop must be 1 sample or more"),
        ({"window": 50, "hop": np.inf}, "hop must be finite"),
    ],
)
def test_bad_arguments(change: dict[str, Any], message: str) -> None:
    references, estimates = signals((2, 100, 1))
    arguments = {"references": references, "estimates": estimates, "window": 50, "hop": 50, "filters_len": 4, **change}
    with pytest.raises(ValueError, match=message):
        bss_eval(**arguments)


@pytest.mark.parametrize("backend", ["fast", "museval"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers(backend: str, value: float) -> None:
    references, estimates = signals((2, 100, 1))
    estimates[1, 70] = value
    with pytest.raises(ValueError, match=r"estimates\[1\] holds NaN or infinity at sample 70"):
        bss_eval(references, estimates, 50, 50, filters_len=4, backend=backend)


def test_nothing_has_no_scores() -> None:
    with pytest.warns(UserWarning, match="empty"):
        assert [part.size for part in bss_eval(np.zeros((2, 0, 1)), np.zeros((2, 0, 1)))] == [0] * 5


def test_silence_from_end_to_end() -> None:
    references, estimates = signals((2, 100, 2))
    references[1, :, 1] = -references[1, :, 0]
    with pytest.raises(ValueError, match=r"references\[1\] is silent from end to end"):
        bss_eval(references, estimates, 50, 50, filters_len=4)


# ------------------------------------------------------------------------------------------------------- museval


@pytest.mark.parametrize("options", [{}, {"framewise_filters": True}, {"bsseval_sources_version": True}])
@pytest.mark.parametrize("backend", ["fast", "museval"])
def test_every_argument_of_museval(options: dict[str, Any], backend: str) -> None:
    references, estimates = signals((2, 3000, 1))
    scores = bss_eval(references, estimates, 1000, 1000, filters_len=8, backend=backend, **options)
    flags = [options.get(name, False) for name in ("framewise_filters", "bsseval_sources_version")]
    assert_museval(scores, references, estimates, 1000, 1000, False, 8, *flags)


def test_museval_solves_singular_systems_by_least_squares() -> None:
    """numpy 2 has no np.linalg.linalg, which museval names where it catches the singular matrix."""
    references, estimates = signals((2, 2000, 1))
    references[1] = references[0]
    sdr, _, _, sar, _ = bss_eval(references, estimates, 2000, 2000, filters_len=1, backend="museval")
    assert np.isfinite(sdr).all()
    assert np.isfinite(sar).all()
    assert not hasattr(np.linalg, "linalg") or np.lib.NumpyVersion(np.__version__) < "2.0.0"


def test_neither_backend_needs_ffmpeg_and_the_import_is_light(tmp_path: Path) -> None:
    program = """
import sys
from msbench.metrics import bss_eval
heavy = {"torch", "lightning", "museval", "musdb", "stempeg"} & set(sys.modules)
assert not heavy, heavy
import numpy as np
signals = np.random.default_rng(0).standard_normal((2, 2000, 1))
for backend in ("fast", "museval"):
    bss_eval(signals, signals + np.roll(signals, 1, 0), 1000, 1000, filters_len=4, backend=backend)
assert not {"museval", "musdb", "stempeg"} & set(sys.modules)
"""
    environment = {**os.environ, "PATH": str(tmp_path)}  # no ffmpeg in it
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_memory_depends_on_blocks_and_not_on_the_track() -> None:
    """Nothing that the correlator reads is longer than its piece, whatever the window."""
    references, estimates = signals((1, 40000, 1))
    correlator = Correlator(references, estimates, lags=16, workers=1)
    read, lengths = correlator.read, []

    def spy(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        lengths.append(stop - start)
        return read(start, stop)

    correlator.read = spy  # type: ignore[method-assign]
    list(correlator.stretches([(0, 40000)]))
    assert max(lengths) < 32 * correlator.fft
    assert len(lengths) > 20
