"""The metrics other than BSSEval, each against its reference implementation or a closed form."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch

from msbench.metrics import catalogue
from msbench.metrics.perceptual import pesq, stoi
from msbench.metrics.ratios import nsdr, snr, track_sdr
from msbench.metrics.scale_invariant import si_sar, si_sdr, si_sir
from msbench.metrics.spectral import l1_spectrogram

RATIOS = [snr, track_sdr, si_sdr, si_sir, si_sar]


def signals(shape: tuple[int, int, int] = (3, 2, 70000), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Estimates that leak and are noisy, and references; longer than a block."""
    rng = np.random.default_rng(seed)
    references = 0.1 * rng.standard_normal(shape)
    return 0.7 * references + 0.2 * np.roll(references, 1, axis=0) + 0.01 * rng.standard_normal(shape), references


def tone(frequency: float, samples: int = 4800) -> np.ndarray:
    return np.cos(2 * np.pi * frequency * np.arange(samples) / samples)


def voice(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Bursts of a buzz: enough of a voice for STOI and PESQ."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).standard_normal(time.size)
    return 0.1 * buzz * (np.sin(2 * np.pi * 1.3 * time) > 0) + 1e-4 * noise


# ------------------------------------------------------------------------------------------ reference implementations


def test_snr_and_si_sdr_are_asteroids_and_torchmetrics() -> None:
    from asteroid.losses import singlesrc_neg_sisdr, singlesrc_neg_snr
    from torchmetrics.functional import scale_invariant_signal_distortion_ratio, signal_noise_ratio

    estimates, references = signals()
    flat = [torch.from_numpy(part.reshape(3, -1)) for part in (estimates, references)]
    for ours, asteroids, torchmetrics in (
        (snr, singlesrc_neg_snr, signal_noise_ratio),
        (si_sdr, singlesrc_neg_sisdr, scale_invariant_signal_distortion_ratio),
    ):
        expected = torchmetrics(*flat, zero_mean=False)
        np.testing.assert_allclose(ours(estimates, references), expected, atol=1e-9)
        # asteroid takes the mean off, and adds 1e-8 here and there
        centred = [part - part.mean(axis=2, keepdims=True) for part in (estimates, references)]
        mono = [part[:, :1] for part in centred]
        expected = -asteroids(*(torch.from_numpy(part[:, 0]) for part in mono))
        np.testing.assert_allclose(ours(*mono), expected, atol=1e-6)


def test_si_sir_and_si_sar_follow_the_papers_projections() -> None:
    estimates, references = signals()
    matrix = references.reshape(3, -1)
    for i, estimate in enumerate(estimates.reshape(3, -1)):
        target = estimate @ matrix[i] / (matrix[i] @ matrix[i]) * matrix[i]
        projected = matrix.T @ np.linalg.lstsq(matrix.T, estimate)[0]
        for ours, noise in ((si_sir, projected - target), (si_sar, estimate - projected)):
            expected = 10 * np.log10((target @ target) / (noise @ noise))
            assert ours(estimates, references)[i] == pytest.approx(expected, abs=1e-9)


def test_whole_track_sdr_and_its_gain_are_the_challenges_formula() -> None:
    estimates, references = signals()
    mixture = references.sum(axis=0, keepdims=True)

    def mdx(estimate: np.ndarray, reference: np.ndarray) -> Any:
        num = np.sum(np.square(reference), axis=(1, 2)) + 1e-7
        return 10 * np.log10(num / (np.sum(np.square(reference - estimate), axis=(1, 2)) + 1e-7))

    np.testing.assert_allclose(track_sdr(estimates, references), mdx(estimates, references), atol=1e-9)
    gain = mdx(estimates, references) - mdx(mixture, references)
    np.testing.assert_allclose(nsdr(estimates, references, mixture), gain, atol=1e-9)
    np.testing.assert_allclose(nsdr(mixture.repeat(3, 0), references, mixture), 0, atol=1e-9)


@pytest.mark.parametrize("samples", [100, 2048, 3072, 200_000])
def test_l1_spectrogram_is_that_of_scipys_stft(samples: int) -> None:
    estimates, references = signals((2, 2, samples))
    padded = [np.pad(part, ((0, 0), (0, 0), (0, max(0, 2048 - samples)))) for part in (estimates, references)]
    options = {"nperseg": 2048, "noverlap": 1024, "window": "hann", "boundary": None, "padded": False}
    spectra = [np.abs(scipy.signal.stft(part, **options)[2]) for part in padded]
    expected = np.abs(spectra[0] - spectra[1]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(l1_spectrogram(estimates, references), expected, rtol=1e-12)


def test_stoi_is_pystois_and_pesq_is_pesqs() -> None:
    import pesq as pesq_library
    import pystoi

    clean = voice(8, 16000)
    noisy = clean + 0.05 * np.random.default_rng(1).standard_normal(clean.size)
    stereo = (np.stack([[noisy, noisy]]), np.stack([[clean * 1.5, clean * 0.5]]))  # whose mean over channels it is
    assert stoi(*stereo, 16000) == pytest.approx(pystoi.stoi(clean, noisy, 16000), abs=1e-12)
    assert pesq(*stereo, 16000) == pytest.approx(pesq_library.pesq(16000, clean, noisy, "wb"), abs=1e-6)


def test_perceptual_scores_are_medians_of_windows_that_sound() -> None:
    """At 8 kHz, resampled: a perfect window, a silent one, a noisy one, and a rest too short to count."""
    rate = 8000
    clean = voice(33, rate)
    clean[10 * rate : 20 * rate] = 0
    noisy = clean.copy()
    noisy[20 * rate :] += 0.1 * np.random.default_rng(1).standard_normal(13 * rate)
    windows = [slice(0, 10 * rate), slice(20 * rate, 30 * rate)]
    for metric in (stoi, pesq):
        each = [float(metric(noisy[None, None, w], clean[None, None, w], rate)[0]) for w in windows]
        assert each[0] > each[1]
        assert metric(noisy[None, None], clean[None, None], rate) == pytest.approx(np.mean(each), abs=1e-9)


def test_no_voice_has_no_perceptual_score_and_a_silent_estimate_the_lowest() -> None:
    clean, silence = voice(3, 16000)[None, None], np.zeros((1, 1, 48000))
    for metric in (stoi, pesq):
        assert np.isnan(metric(clean, silence, 16000)).all()
        assert np.isnan(metric(clean[..., :1000], clean[..., :1000], 16000)).all()
    assert stoi(silence, clean, 16000) == 0
    assert pesq(silence, clean, 16000) == pytest.approx(1.0427, abs=1e-3)


# -------------------------------------------------------------------------------------------------------- closed form


def test_orthogonal_parts_have_known_ratios() -> None:
    target, other, artifact = (tone(f) for f in (100, 230, 370))
    estimates = np.stack([target + 0.1 * other + 0.01 * artifact, other + 0.02 * target])[:, None]
    references = np.stack([target, other])[:, None]
    assert si_sir(estimates, references) == pytest.approx([20, 20 * np.log10(50)], abs=1e-9)
    assert si_sar(estimates, references)[0] == pytest.approx(40, abs=1e-9)
    assert si_sdr(estimates, references)[0] == pytest.approx(-10 * np.log10(0.1**2 + 0.01**2), abs=1e-9)
    assert snr(estimates, references)[0] == pytest.approx(-10 * np.log10(0.1**2 + 0.01**2), abs=1e-9)


@pytest.mark.parametrize("metric", [si_sdr, si_sir, si_sar])
def test_a_gain_or_the_order_of_channels_makes_no_difference(metric: Callable[..., np.ndarray]) -> None:
    estimates, references = signals()
    expected = metric(estimates, references)
    np.testing.assert_allclose(metric(-300 * estimates, references), expected, atol=1e-9)
    np.testing.assert_allclose(metric(estimates[:, ::-1], 1e-3 * references[:, ::-1]), expected, atol=1e-9)


def test_a_stem_twice_spans_what_it_spans_once() -> None:
    estimates, references = signals()
    twice = [np.concatenate([part, part[:1]]) for part in (estimates, references)]
    np.testing.assert_allclose(si_sar(*twice)[:3], si_sar(estimates, references), atol=1e-9)


@pytest.mark.parametrize("decibels", [60, 120, 200])
def test_good_estimates_lose_no_digits(decibels: float) -> None:
    references = np.stack([tone(100), tone(230)])[:, None]
    estimates = references + 10 ** (-decibels / 20) * tone(370)
    for metric in (snr, si_sdr, si_sar):
        assert metric(estimates, references) == pytest.approx([decibels] * 2, abs=1e-3)


def test_where_there_is_no_ratio() -> None:
    estimates, references = signals()
    for metric in (snr, si_sdr, si_sir, si_sar):
        assert np.isposinf(metric(references, references)).all()
    assert np.isposinf(si_sdr(0.5 * references, references)).all()
    assert np.isneginf(si_sdr(np.stack([[tone(100)]]), np.stack([[tone(230)]]))).all()
    assert np.isnan(si_sdr(0 * estimates, references)).all()
    np.testing.assert_allclose(snr(0 * estimates, references), 0, atol=1e-12)
    references[1] = 0
    for metric in RATIOS:
        values = metric(estimates, references)
        assert np.isnan(values).tolist() == [False, True, False]
        assert np.isfinite(values[[0, 2]]).all()


# ------------------------------------------------------------------------------------------------------ input, choice


class Reader:
    """Signals that can be sliced in time alone, and say how much was asked for."""

    def __init__(self, signals: np.ndarray) -> None:
        self.signals, self.shape, self.longest = signals, signals.shape, 0

    def __getitem__(self, key: tuple[Any, slice]) -> Any:
        if key[0] is not Ellipsis:
            raise TypeError("sliced other than in time")
        found = self.signals[key]
        self.longest = max(self.longest, found.shape[-1])
        return found


@pytest.mark.parametrize("metric", [*RATIOS, l1_spectrogram])
def test_readers_lists_and_tensors_give_the_numbers_of_arrays(metric: Callable[..., np.ndarray]) -> None:
    estimates, references = signals((2, 1, 100_000))
    expected = metric(estimates, references)
    readers = Reader(estimates), Reader(references)
    np.testing.assert_array_equal(metric(*readers), expected)
    assert readers[0].longest < 70_000
    np.testing.assert_array_equal(metric(torch.from_numpy(estimates), references.tolist()), expected)


@pytest.mark.parametrize(
    "metric", [*RATIOS, l1_spectrogram, lambda e, r: stoi(e, r, 8000), lambda e, r: pesq(e, r, 8000)]
)
def test_bad_input_is_said_in_one_sentence(metric: Callable[..., np.ndarray]) -> None:
    estimates, references = signals((2, 1, 1000))
    with pytest.raises(ValueError, match=r"differ in shape: \(2, 1, 999\) and \(2, 1, 1000\)"):
        metric(estimates[..., 1:], references)
    with pytest.raises(
        ValueError, match=r"must be \(source, channel, time\) with at least one sample, not \(2, 1000\)"
    ):
        metric(estimates[:, 0], references[:, 0])
    with pytest.raises(ValueError, match=r"at least one sample, not \(2, 1, 0\)"):
        metric(estimates[..., :0], references[..., :0])
    estimates[1, 0, 700] = np.nan
    with pytest.raises(ValueError, match=r"estimates\[1\] holds NaN or infinity at sample 700"):
        metric(estimates, references)
    references[0, 0, 5] = np.inf
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        metric(references, references)


def test_samples_too_large_to_square() -> None:
    estimates, references = signals((2, 1, 1000))
    with pytest.raises(ValueError, match="too large to be squared"):
        snr(1e200 * estimates, references)


def test_a_mixture_of_another_shape() -> None:
    estimates, references = signals((2, 1, 1000))
    with pytest.raises(ValueError, match=r"the mixture must be \(1, 1, 1000\), not \(1, 1, 999\)"):
        nsdr(estimates, references, references[:1, :, 1:])


def test_ids_tell_the_targets_where_they_count() -> None:
    ids = catalogue.metric_ids(catalogue.NAMES, ["vocals", "bass"])
    assert len(set(ids.values())) == len(catalogue.NAMES)
    assert all(metric_id.split(";")[0] == name for name, metric_id in ids.items())
    assert [name for name, metric_id in ids.items() if "targets=bass,vocals" in metric_id] == [
        "si-sir",
        "si-sar",
        "mean-sdr",
    ]


def test_what_cannot_be_scored_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.check_names(catalogue.NAMES, ["vocals", "rest"])
    with pytest.raises(ValueError, match=r"unknown metric 'si-sdrr'\. Did you mean si-sdr"):
        catalogue.check_names(["si-sdrr"], ["vocals"])
    with pytest.raises(ValueError, match=r"stoi scores voices \(vocals, voice, speech\), not drums, bass"):
        catalogue.check_names(["stoi"], ["drums", "bass"])
    monkeypatch.setattr(sys, "path", [])
    for name in ("pystoi", "pesq"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'msbench\[perceptual\]'"):
        catalogue.check_names(["pesq"], ["vocals"])
