"""Effects of stems and mixtures: what each does to a sound, how often, to what, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from msbench.data.layouts.musdb18hq import MUSDB18HQ
from msbench.data.loading import effects as effects_module
from msbench.data.loading.effects import EFFECTS, NEED_PEDALBOARD, effects_of
from msbench.data.track import Track
from tests.data.loading.test_chunks import assert_equal, chunks_of
from tests.data.songs import STEMS, write, write_musdb18hq

pytest.importorskip("pedalboard", reason="extra augment")


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return MUSDB18HQ(write_musdb18hq(tmp_path_factory.mktemp("hq"))).tracks("train")


def effected(tracks: list[Track], effects: dict[str, Any], **options: Any) -> Any:
    return chunks_of(tracks, seed=3, effects=effects_of(effects), **options)


def tone(rate: int, frequency: float, seconds: float = 0.5, level: float = 0.25) -> np.ndarray:
    wave = level * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)
    return np.stack([wave, 0.5 * wave]).astype(np.float32)


def applied(effect: str, audio: np.ndarray, rate: int, **ranges: Any) -> np.ndarray:
    return EFFECTS[effect](audio, rate, np.random.default_rng(0), **ranges)


def db(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.square(audio.astype(np.float64)).mean()))


# Chunks


@pytest.mark.parametrize("remix", [False, True])
@pytest.mark.parametrize("effect", EFFECTS)
def test_changed_stems_are_seeded_and_add_up(tracks: list[Track], effect: str, remix: bool) -> None:
    first, second = (effected(tracks, {effect: 0.5}, remix=remix) for _ in range(2))
    plain = chunks_of(tracks, seed=3, remix=remix)
    chunks = [first[n] for n in range(6)]
    changed = []
    for n in reversed(range(6)):
        assert_equal(chunks[n], second[n])
        torch.testing.assert_close(chunks[n].mixture, chunks[n].references.sum(0))
        assert chunks[n].references.isfinite().all()
        changed += [not torch.equal(a, b) for a, b in zip(chunks[n].references, plain[n].references, strict=True)]
    assert 6 < sum(changed) < 18


def test_share_is_the_share_of_the_stems(tracks: list[Track]) -> None:
    plain, chunks = chunks_of(tracks, seed=3, seconds=0.01), effected(tracks, {"noise": 0.3}, seconds=0.01)
    changed = [
        not torch.equal(a, b)
        for n in range(125)
        for a, b in zip(chunks[n].references, plain[n].references, strict=True)
    ]
    assert np.mean(changed) == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 500) ** 0.5)


@pytest.mark.parametrize("others", [{}, {"gain_db": (-6.0, 3.0)}])
def test_effects_on_the_mixture_leave_the_targets(tracks: list[Track], others: dict[str, Any]) -> None:
    plain = chunks_of(tracks, seed=3, **others)
    chunks = effected(tracks, {"mp3": {"share": 0.5, "stems": "mixture"}}, **others)
    changed = []
    for n in range(12):
        assert torch.equal(chunks[n].references, plain[n].references)
        changed.append(not torch.equal(chunks[n].mixture, plain[n].mixture))
    assert 2 < sum(changed) < 10


def test_each_entry_has_its_stems_and_its_own_numbers(tracks: list[Track]) -> None:
    vocals = {"hiss": {"effect": "noise", "share": 1, "stems": ["vocals"]}}
    alone, both = effected(tracks, vocals), effected(tracks, {**vocals, "loudness": {"share": 1, "stems": ["bass"]}})
    plain = chunks_of(tracks, seed=3)
    for n in range(3):
        first, second, before = alone[n].references, both[n].references, plain[n].references
        for i, stem in enumerate(STEMS):
            assert torch.equal(first[i], before[i]) == (stem != "vocals")
            assert torch.equal(second[i], first[i]) == (stem != "bass")


def test_two_entries_of_one_effect_are_drawn_apart(tracks: list[Track]) -> None:
    def named(*names: str) -> dict[str, Any]:
        return {name: {"effect": "loudness", "share": 1, "stems": ["bass"], "gain_db": [-6, 6]} for name in names}

    plain = chunks_of(tracks, seed=3)[0].references[2]
    one, other, both = (effected(tracks, named(*names))[0].references[2] / plain for names in ("a", "b", "ab"))
    assert one.nanmean() != pytest.approx(float(other.nanmean()), rel=1e-3)
    assert float(both.nanmean()) == pytest.approx(float(one.nanmean() * other.nanmean()), rel=1e-3)


# Sounds


@pytest.mark.parametrize("rate", [8000, 44100])
def test_equalizer_moves_its_bands(rate: int) -> None:
    for frequency in (50, 1000, *((16000,) if rate > 32000 else ())):
        raised = applied("equalizer", tone(rate, frequency), rate, gain_db=(6, 6))[:, rate // 4 :]
        assert 4 < db(raised) - db(tone(rate, frequency)[:, rate // 4 :]) < 12
    np.testing.assert_allclose(applied("equalizer", tone(rate, 700), rate, gain_db=(0, 0)), tone(rate, 700), atol=1e-4)


def test_compressor_holds_back_what_is_loud() -> None:
    options: dict[str, Any] = {"threshold_db": (-30, -30), "ratio": (4, 4)}
    loud, quiet = tone(44100, 440, level=0.5), tone(44100, 440, level=0.01)
    held = applied("compressor", loud, 44100, **options)[:, 11025:]
    assert -22 < db(held) - db(loud[:, 11025:]) < -12
    assert db(applied("compressor", quiet, 44100, **options)) == pytest.approx(db(quiet), abs=0.1)


def test_distortion_adds_harmonics_and_keeps_the_level() -> None:
    clean = tone(44100, 441, seconds=1.0)
    distorted = applied("distortion", clean, 44100, drive_db=(20, 20))
    assert db(distorted) == pytest.approx(db(clean), abs=0.01)
    spectrum = np.abs(np.fft.rfft(distorted[0]))
    assert spectrum[1323] > 0.05 * spectrum[441] > 1000 * np.abs(np.fft.rfft(clean[0]))[1323]


def test_reverb_follows_the_sound() -> None:
    sound = np.pad(tone(44100, 440, seconds=0.1), ((0, 0), (0, 22050)))
    np.testing.assert_allclose(applied("reverb", sound, 44100, wet=(0, 0)), sound, atol=1e-4)
    wet = applied("reverb", sound, 44100, wet=(0.3, 0.3))
    assert wet.shape == sound.shape
    assert db(wet[:, 8820:]) > db(sound) - 40
    assert not sound[:, 8820:].any()


def test_noise_lies_so_far_below_the_sound() -> None:
    clean = tone(44100, 440)
    added = applied("noise", clean, 44100, snr_db=(30, 30)) - clean
    assert db(clean) - db(added) == pytest.approx(30, abs=0.2)
    assert abs(np.corrcoef(added)[0, 1]) < 0.05


# At low rates LAME's frames have no room for the tag that tells its delay.
@pytest.mark.parametrize("kbps", [16, 48, 96, 320])
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_mp3_comes_without_its_delay(rate: int, kbps: int) -> None:
    noise = np.random.default_rng(1).standard_normal((2, rate // 2 + 77), np.float32)
    clean = 0.1 * np.cumsum(noise, axis=1) / rate**0.5 + 0.01 * noise
    clean -= clean.mean(1, keepdims=True)
    coded = applied("mp3", clean, rate, kbps=(kbps, kbps))
    assert coded.shape == clean.shape
    size = 2 * clean.shape[1]
    lags = np.fft.irfft(np.fft.rfft(coded[0], size) * np.fft.rfft(clean[0], size).conj(), size)
    assert np.argmax(lags) == 0
    assert np.abs(coded - clean).max() > 1e-4
    assert db(coded - clean) < db(clean)


def test_mp3_of_more_bits_is_nearer() -> None:
    clean = sum(tone(44100, 220.0 * k, level=0.1) for k in range(1, 40, 3))
    errors = [db(applied("mp3", clean, 44100, kbps=(kbps, kbps)) - clean) - db(clean) for kbps in (32, 96, 320)]
    assert errors[0] > errors[1] + 6 > errors[2] + 12


def test_silence_stays_silent() -> None:
    silence = np.zeros((2, 800), np.float32)
    for effect in effects_of(dict.fromkeys(EFFECTS, 1)):
        assert not effect.apply(silence, 8000, 0, 0, "bass").any()


# The sum of two stems


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    """Three songs whose stems are constant: 1, 2 and 4 thousandths, times 1 to 4 for each stem."""
    folder = tmp_path_factory.mktemp("levels")
    songs = []
    for level in (1, 2, 4):
        stems = {
            stem: write(folder / f"{level}-{stem}.wav", np.full((800, 2), level * (i + 1) * 33, np.int16))
            for i, stem in enumerate(STEMS)
        }
        songs.append(Track(f"Song {level}", "train", stems))
    return songs


@pytest.mark.parametrize("sampling", ["random", "exhaustive", "balanced"])
@pytest.mark.parametrize("remix", [False, True])
def test_mixup_is_the_mean_with_the_same_stem_of_another_song(levels: list[Track], remix: bool, sampling: str) -> None:
    chunks, again = (chunks_of(levels, seconds=0.02, mixup_share=0.4, remix=remix, sampling=sampling) for _ in range(2))
    found = []
    for n in range(30):
        assert_equal(chunks[n], again[n])
        torch.testing.assert_close(chunks[n].mixture, chunks[n].references.sum(0))
        for i, stem in enumerate(chunks[n].references):
            assert stem.min() == pytest.approx(float(stem.max()))
            found.append(round(float(stem.max()) * 32768 / 33 / (i + 1), 2))
    assert set(found) == {1, 2, 4, 1.5, 2.5, 3}
    assert np.mean([level in (1.5, 2.5, 3) for level in found]) == pytest.approx(0.4, abs=0.18)


def test_mixup_has_a_gain_of_its_own(levels: list[Track]) -> None:
    halves = chunks_of(levels[:2], seconds=0.02, mixup_share=1, gain=(0.5, 0.5))[0].references[:, 0, 0] * 32768 / 33
    for i, value in enumerate(halves):
        assert round(float(value) / (i + 1), 3) in (0.5 * (1 + 0.5 * 2) / 2, 0.5 * (2 + 0.5 * 1) / 2)


def test_mixup_needs_another_song(levels: list[Track]) -> None:
    with pytest.raises(ValueError, match=r"data.mixup_share takes stems of another song, and there is one"):
        chunks_of(levels[:1], mixup_share=0.5)


# Refusals


@pytest.mark.parametrize(
    ("effects", "message"),
    [
        ({"echo": 0.1}, "data.effects: there is no effect 'echo'. .*Available: equalizer, compressor"),
        ({"mp3": 1.5}, "data.effects: 'mp3' needs a share of the sounds that it changes, from 0 to 1, not 1.5"),
        ({"mp3": True}, "data.effects: 'mp3' needs a share"),
        ({"mp3": {"kbps": [64, 128]}}, "data.effects: 'mp3' needs a share of the sounds .*, not None"),
        ({"mp3": {"share": 1, "kpbs": [64, 128]}}, "data.effects: 'mp3' has no option 'kpbs'. Did you mean kbps?"),
        (
            {"mp3": {"share": 1, "kbps": [128, 64]}},
            r"'mp3': kbps must be a range from low to high within 8 to 320, not \[128, 64\]",
        ),
        ({"mp3": {"share": 1, "kbps": 128}}, "'mp3': kbps must be a range"),
        ({"low": {"effect": "mp3", "share": 1, "kbps": ["64", "a"]}}, "'low': kbps must be a range"),
        ({"reverb": {"share": 1, "wet": [0, float("nan")]}}, "'reverb': wet must be a range .* within 0 to 1"),
        (
            {"noise": {"share": 1, "stems": []}},
            r"'noise': stems must be names of stems, as \[vocals, drums\], not \[\]",
        ),
        ({"a/b": {"effect": "noise", "share": 1}}, "data.effects: the entry"),
    ],
)
def test_entries_that_make_no_sense(effects: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        effects_of(effects)


def test_stems_and_rates_that_are_not_there(tracks: list[Track]) -> None:
    with pytest.raises(ValueError, match=r"data.effects: 'noise': no stem 'vocal'. Did you mean vocals\?"):
        effected(tracks, {"noise": {"share": 1, "stems": ["vocal"]}})
    with pytest.raises(ValueError, match=r"MP3 has sample rates of 8000, .* and the model has 8192 Hz and 2"):
        effected(tracks, {"mp3": 0.1}, rate=8192)


def test_off_is_off(tracks: list[Track]) -> None:
    assert effects_of(None) == effects_of({}) == effects_of({"noise": 0, "mp3": {"share": 0.0}}) == ()


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects_module, "find_spec", lambda name: None)
    for effect in NEED_PEDALBOARD:
        with pytest.raises(ImportError, match=rf"{effect} needs pedalboard: pip install 'msbench\[augment\]'"):
            effects_of({effect: 0.1})
    assert len(effects_of(dict.fromkeys(("noise", "loudness", "mp3"), 0.1))) == 3
    monkeypatch.setattr(soundfile, "available_formats", dict)
    with pytest.raises(ImportError, match=r"mp3 needs libsndfile 1.1 or later"):
        effects_of({"mp3": 0.1})
