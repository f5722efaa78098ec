"""Stretch, pitch and formants: what they do to tones, clicks, pulses and noise, and to nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.signal import find_peaks, lfilter

from msbench.data.loading.vocoder import replayed, source_samples, stretched, with_formants

RATES = [8192, 44100]


def tone(rate: int, frequency: float = 440.0, seconds: float = 2.0) -> np.ndarray:
    """(2, T): the left louder than the right, and out of phase with it."""
    phase = 2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate
    return np.stack([0.5 * np.sin(phase), 0.2 * np.sin(phase + 1)]).astype(np.float32)


def noise(rate: int, correlation: float = 0.5, seconds: float = 2.0) -> np.ndarray:
    left, other = 0.1 * np.random.default_rng(0).standard_normal((2, round(rate * seconds)))
    right = correlation * left + np.sqrt(1 - correlation**2) * other
    return np.stack([left, 0.5 * right]).astype(np.float32)


def sung(rate: int, formant: float, seconds: float = 2.0) -> np.ndarray:
    """(2, T): 100 pulses a second through one broad resonance."""
    pulses = np.zeros(round(rate * seconds))
    pulses[:: rate // 100] = 1
    radius = np.exp(-np.pi * 500 / rate)
    voice = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * formant / rate), radius**2], pulses)
    return np.stack([voice, 0.5 * voice]).astype(np.float32) / np.abs(voice).max()


def peak(audio: np.ndarray, rate: int) -> float:
    """The strongest frequency in Hz, of the middle of (T)."""
    middle = audio[len(audio) // 4 : -len(audio) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
    return float(spectrum.argmax() * rate / (8 * len(middle)))


def level(audio: np.ndarray) -> np.ndarray:
    """(C) in dB, without the first and last tenth of a second or so."""
    edge = audio.shape[-1] // 20
    level_db: np.ndarray = 10 * np.log10(np.square(audio[..., edge:-edge], dtype=np.float64).mean(-1))
    return level_db


def shifted(audio: np.ndarray, semitones: float, rate: int) -> np.ndarray:
    return replayed(audio, audio.shape[1], rate, stretch=1.0, pitch=2 ** (semitones / 12), speed=None)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("semitones", [12, 3.3, -1, -12])
def test_pitch_shift_moves_a_tone_and_keeps_its_length(rate: int, semitones: float) -> None:
    before = tone(rate)
    after = shifted(before, semitones, rate)
    assert after.shape == before.shape
    assert after.dtype == np.float32
    for channel in after:
        assert peak(channel, rate) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.002)
    np.testing.assert_allclose(level(after), level(before), atol=0.5)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("factor", [0.7, 0.95, 1.25, 1.5])
def test_stretch_keeps_a_tone_and_moves_clicks_apart(rate: int, factor: float) -> None:
    before = tone(rate)
    after = stretched(before, factor, rate)
    assert after.shape == (2, round(before.shape[1] * factor))
    for channel in after:
        assert peak(channel, rate) == pytest.approx(440, rel=0.002)
    period = rate // 4
    clicks = np.zeros((2, 2 * rate), np.float32)
    clicks[:, period // 2 :: period] = 1
    apart = stretched(clicks, factor, rate)
    # The energy around each click, as a click may become several within milliseconds.
    power = np.convolve(np.square(apart[0]), np.hanning(rate // 20), "same")
    found, _ = find_peaks(power, height=power.max() / 3, distance=period * factor / 2)
    assert len(found) == 8
    np.testing.assert_allclose(np.diff(found), period * factor, atol=0.008 * rate)
    assert np.diff(found).mean() == pytest.approx(period * factor, rel=0.01)


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_formants_move_the_envelope_and_keep_the_harmonics(rate: int, ratio: float) -> None:
    before = sung(rate, 1200)
    after = with_formants(before, ratio, rate)
    assert after.shape == before.shape
    assert after.dtype == np.float32
    goal = sung(rate, 1200 * ratio)
    size = rate // 10 * 10  # a tenth of a second is ten pulses: harmonics fall on bins
    spectra = [np.abs(np.fft.rfft(audio[0, size // 2 : size // 2 + size])) for audio in (before, after, goal)]
    harmonics = np.arange(1, 31) * (100 * size // rate)
    for spectrum in spectra:
        between = np.delete(spectrum[: 31 * harmonics[0]], np.concatenate([[0], harmonics]))
        assert between.max() < 0.01 * spectrum.max()
    was, became, should_be = (20 * np.log10(spectrum[harmonics] / spectrum.max()) for spectrum in spectra)
    assert np.std(became - should_be) < 0.5 * np.std(was - should_be)
    assert 100 * (1 + was.argmax()) == 1200
    assert 100 * (1 + became.argmax()) == pytest.approx(1200 * ratio, abs=100)


CHANGES = {
    "stretch": lambda audio, rate: stretched(audio, 1.2, rate),
    "shrink": lambda audio, rate: stretched(audio, 0.8, rate),
    "up": lambda audio, rate: shifted(audio, 2, rate),
    "down": lambda audio, rate: shifted(audio, -2, rate),
    "larger": lambda audio, rate: with_formants(audio, 0.85, rate),
    "smaller": lambda audio, rate: with_formants(audio, 1.15, rate),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", [tone, noise, lambda rate: sung(rate, 900)], ids=["tone", "noise", "sung"])
def test_level_and_stereo_image_are_kept(rate: int, change: str, kind: Any) -> None:
    before = kind(rate)
    after = CHANGES[change](before, rate)
    after = after[:, : round(after.shape[1] * 0.8)]  # a pitch shift of an excerpt alone lacks a little at its end
    np.testing.assert_allclose(level(after), level(before), atol=1)
    balance = np.ptp(level(after)) - np.ptp(level(before))
    assert abs(balance) < 0.3
    assert np.corrcoef(after)[0, 1] == pytest.approx(np.corrcoef(before)[0, 1], abs=0.06)


def test_opposite_channels_stay_opposite() -> None:
    side = noise(8192)[:1]
    after = stretched(np.concatenate([side, -side]), 1.2, 8192)
    np.testing.assert_allclose(after[0], -after[1], atol=1e-6)
    assert level(after)[0] == pytest.approx(level(side)[0], abs=1)


def test_a_factor_of_one_is_the_same_array() -> None:
    audio = noise(8192)
    assert stretched(audio, 1.0, 8192) is audio
    assert with_formants(audio, 1.0, 8192) is audio
    np.testing.assert_array_equal(shifted(audio, 0, 8192), audio)


def test_silence_and_audio_shorter_than_a_window() -> None:
    for audio in (np.zeros((2, 4000), np.float32), noise(8192, seconds=0.002), noise(8192, seconds=0.002)[:1]):
        for change in CHANGES.values():
            after = change(audio, 8192)
            assert np.isfinite(after).all()
            assert after.any() == audio.any()


@pytest.mark.parametrize("pitch", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("stretch", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("speed", [None, 0.9, 1.1])
def test_enough_is_read_to_fill_a_chunk(pitch: float, stretch: float, speed: float | None) -> None:
    replay: dict[str, Any] = {"stretch": stretch, "pitch": pitch, "speed": speed}
    for samples in (100, 5000):
        source = tone(8192)[:, : source_samples(samples, 8192, **replay)]
        after = replayed(source, samples, 8192, **replay)
        assert after.shape == (2, samples)
        assert np.abs(after[:, -25:]).max() > 0.15, "the last of it sounds as well"
    assert peak(replayed(tone(8192), 12000, 8192, **replay)[0], 8192) == pytest.approx(440 * pitch * (speed or 1), 3e-3)
