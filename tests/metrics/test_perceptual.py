"""STOI and PESQ: those of the libraries, as medians of windows that sound."""

from __future__ import annotations

import numpy as np
import pytest

from msbench.metrics.perceptual import pesq, stoi
from tests.metrics.examples import voice
from tests.requirements import peer


def test_stoi_is_pystois_and_pesq_is_pesqs() -> None:
    pesq_library, pystoi = peer("pesq"), peer("pystoi")
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
