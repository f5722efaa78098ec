"""Augmented chunks: seeded, summing to the mixture, and each option with numbers of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from msbench.data.layouts.musdb18hq import MUSDB18HQ
from msbench.data.loading.augmentation import DRAWN_EVENLY, Augmentation
from msbench.data.track import Track
from tests.data.loading.test_chunks import assert_equal, chunks_of
from tests.data.loading.test_vocoder import peak, tone
from tests.data.songs import STEMS, write, write_musdb18hq


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return MUSDB18HQ(write_musdb18hq(tmp_path_factory.mktemp("hq"))).tracks("train")


ALONE: list[dict[str, Any]] = [
    {"pitch_semitones": (-3.0, 3.0)},
    {"stretch": (0.8, 1.25)},
    {"formants": (0.8, 1.25)},
    {"gain": (0.25, 0.9)},
    {"shift_seconds": 0.2},
]


@pytest.mark.parametrize("options", ALONE)
@pytest.mark.parametrize("remix", [False, True])
def test_chunks_are_seeded_and_add_up(tracks: list[Track], options: dict[str, Any], remix: bool) -> None:
    first, second = (chunks_of(tracks, seed=3, remix=remix, **options) for _ in range(2))
    plain = chunks_of(tracks, seed=3, remix=remix)
    forwards = [first[n] for n in range(4)]
    for n in reversed(range(4)):
        assert_equal(forwards[n], second[n])
        torch.testing.assert_close(forwards[n].mixture, forwards[n].references.sum(0))
        assert not torch.equal(forwards[n].mixture, plain[n].mixture)
    assert not torch.equal(forwards[0].mixture, chunks_of(tracks, seed=4, remix=remix, **options)[0].mixture)


def test_factors_that_change_nothing_leave_chunks_as_they_were(tracks: list[Track]) -> None:
    neutral: dict[str, Any] = {"pitch_semitones": (0.0, 0.0), "stretch": (1.0, 1.0), "formants": (1.0, 1.0)}
    for others in ({"remix": True}, {"gain_db": (-6.0, 3.0), "polarity": True}, {"speed": (0.8, 1.2)}):
        plain, same = chunks_of(tracks, **others), chunks_of(tracks, **others, **neutral)
        for n in range(3):
            assert_equal(plain[n], same[n])


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Track:
    """Four seconds at 8 kHz: a tone of 300, 600, 900 or 1200 Hz in each stem."""
    folder = tmp_path_factory.mktemp("tones")
    stems = {
        stem: write(folder / f"{stem}.wav", 0.4 * tone(8000, 300.0 * (i + 1), 4.0).T) for i, stem in enumerate(STEMS)
    }
    return Track("Tones", "train", stems)


def factors(song: Track, count: int, **options: Any) -> np.ndarray:
    """(count, S): by how much each stem of these chunks is higher."""
    chunks = chunks_of([song], seconds=1.0, **options)
    references = (chunks[n].references for n in range(count))
    return np.array([[peak(x[0].numpy(), 8000) / (300 * (i + 1)) for i, x in enumerate(stems)] for stems in references])


def test_pitch_is_drawn_evenly_and_once_a_song(song: Track) -> None:
    semitones = 12 * np.log2(factors(song, 20, pitch_semitones=(-4.0, 4.0)))
    assert np.ptp(semitones, axis=1).max() < 0.1
    assert -4.1 < semitones.min() < -2.5
    assert 2.5 < semitones.max() < 4.1
    own = 12 * np.log2(factors(song, 5, pitch_semitones=(-4.0, 4.0), remix=True))
    assert np.ptp(own, axis=1).min() > 0.5, "with remix each stem is of a song of its own"
    np.testing.assert_allclose(factors(song, 5, stretch=(0.8, 1.25), formants=(0.8, 1.25)), 1, rtol=0.005)


def test_each_option_draws_numbers_of_its_own(song: Track) -> None:
    alone = factors(song, 5, pitch_semitones=(-4.0, 4.0))
    others: dict[str, Any] = {"stretch": (0.8, 1.25), "formants": (0.9, 1.1), "gain_db": (-3.0, 3.0)}
    together = factors(song, 5, pitch_semitones=(-4.0, 4.0), sampling="balanced", **others)
    np.testing.assert_allclose(alone, together, rtol=0.005)
    sped = factors(song, 5, speed=(0.9, 1.1))
    np.testing.assert_allclose(alone * sped, factors(song, 5, speed=(0.9, 1.1), pitch_semitones=(-4.0, 4.0)), rtol=5e-3)


def test_gain_is_even_in_amplitude() -> None:
    uniform = np.random.default_rng(0).random((DRAWN_EVENLY, 2000))
    factors = [x.factor for x in Augmentation(gain=(0.25, 1.25)).draw(0, 0, uniform)]
    assert np.quantile(factors, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx([0.25, 0.5, 0.75, 1, 1.25], abs=0.03)
    in_db = [x.factor for x in Augmentation(gain_db=(-12.0, 2.0)).draw(0, 0, uniform)]
    assert np.median(in_db) == pytest.approx(10 ** (-5 / 20), abs=0.02)


def test_zeros_follow_the_end_of_a_stretched_song(song: Track) -> None:
    chunk = chunks_of([song], seconds=8.0, stretch=(1.25, 1.25))[0]
    assert chunk.mixture.shape == (2, 64000)
    assert chunk.references[:, :, 39000:40000].abs().amax(-1).min() > 0.05
    # Below the rounding of 16 bits once the resampler's filter, or the last window, has run out.
    assert chunk.references[..., 40000 + 512 :].abs().max() < 1e-5
    assert not chunk.references[..., 44000:].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"pitch_semitones": (-300, 300)},
            r"pitch_semitones must be a range from low to high within -24 to 24, not \[-3",
        ),
        ({"stretch": (1.2, 0.8)}, r"stretch must be a range from low to high within 0.25 to 4, not \[1.2, 0.8\]"),
        ({"gain": (1.25, 0.25)}, r"gain must be a range of factors from low to high, not \[1.25, 0.25\]"),
        ({"gain": (-1, 1)}, "gain must be a range of factors"),
        ({"gain": (0.5, 1), "gain_db": (-6, 0)}, "gain and gain_db are two ways to say one thing"),
        ({"remix": True, "remix_share": 0}, "remix_share must be above 0 and at most 1, not 0"),
        ({"remix_share": 0.25}, "remix_share says how stems are remixed: set remix to true"),
        ({"remix_group": 4}, "remix_group says how stems are remixed: set remix to true"),
        ({"remix": True, "remix_group": 1}, "remix_group must be at least 2 chunks, not 1"),
        ({"shift_seconds": -1}, "shift_seconds must not be negative, but it is -1"),
        ({"repitch_share": 1.5, "stretch": (1, 2)}, "repitch_share must be above 0 and at most 1, not 1.5"),
        ({"repitch_share": 0.2}, "repitch_share is the chance of pitch_semitones and stretch"),
        ({"stretch": (80, 120)}, r"stretch must be a range from low to high within 0.25 to 4, not \[80, 120\]"),
        (
            {"formants": (float("nan"), 1)},
            r"formants must be a range from low to high within 0.25 to 4, not \[nan, 1\]",
        ),
    ],
)
def test_ranges_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**options)
