"""Effects of training chunks, as a studio and the way to the listener have them: `data.effects`.

Each is a function of (channels, samples) float32, the sample rate and random numbers; its options are the ranges that
it draws from. All keep the length, and begin with the chunk: the sound before it leaves no reverberation within.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import soundfile

from msbench.data.loading.draws import EFFECTS as PURPOSE
from msbench.data.loading.draws import stream
from msbench.data.track import MIXTURE
from msbench.system.bounded import shown
from msbench.system.names import plain_name
from msbench.system.wording import choices

Range = tuple[float, float]  # from low to high, both included

_BANDS = ((100, "LowShelfFilter"), (300, "PeakFilter"), (1000, "PeakFilter"), (3000, "PeakFilter"))
_TOP_BAND = (8000, "HighShelfFilter")
_HIGHEST_BAND = 0.45  # of the sample rate: a filter's frequency has to lie below one half
_UNITY = 0.5  # dry_level at which pedalboard's reverb, JUCE's, leaves the dry sound as loud as it was

# Sample rates of MPEG-1, 2 and 2.5, layer III, and the lowest and highest kbps of each.
_MP3_KBPS = {
    **dict.fromkeys((32000, 44100, 48000), (32, 320)),
    **dict.fromkeys((16000, 22050, 24000), (8, 160)),
    **dict.fromkeys((8000, 11025, 12000), (8, 64)),
}
_MP3_DELAY = 1105  # samples: 576 of LAME's encoder and 529 of any decoder


def equalizer(audio: np.ndarray, sample_rate: int, rng: np.random.Generator, gain_db: Range = (-6, 6)) -> np.ndarray:
    """Five bands, from a shelf below 100 Hz to one above 8 kHz, each with a gain of its own."""
    import pedalboard

    bands = [
        getattr(pedalboard, kind)(frequency, gain)
        for (frequency, kind), gain in zip((*_BANDS, _TOP_BAND), rng.uniform(*gain_db, 5), strict=True)
        if frequency < _HIGHEST_BAND * sample_rate
    ]
    return pedalboard.Pedalboard(bands)(audio, sample_rate)


def compressor(
    audio: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
    threshold_db: Range = (-40, -10),
    ratio: Range = (2, 6),
) -> np.ndarray:
    """Less level above a threshold, relative to full scale; attack 5 ms, release 100 ms."""
    import pedalboard

    return pedalboard.Compressor(rng.uniform(*threshold_db), rng.uniform(*ratio), 5, 100)(audio, sample_rate)


def distortion(audio: np.ndarray, sample_rate: int, rng: np.random.Generator, drive_db: Range = (0, 20)) -> np.ndarray:
    """The hyperbolic tangent of the sound after a gain; the result is as loud as the sound was."""
    import pedalboard

    distorted = pedalboard.Distortion(rng.uniform(*drive_db))(audio, sample_rate)
    return distorted * (_rms(audio) / (_rms(distorted) or 1.0))


def reverb(
    audio: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
    room_size: Range = (0.1, 0.7),
    damping: Range = (0.2, 0.8),
    wet: Range = (0.05, 0.3),
) -> np.ndarray:
    """Freeverb's room, added to the sound."""
    import pedalboard

    room, damped, level = rng.uniform(*room_size), rng.uniform(*damping), rng.uniform(*wet)
    return pedalboard.Reverb(room, damped, wet_level=level, dry_level=_UNITY)(audio, sample_rate)


def noise(audio: np.ndarray, sample_rate: int, rng: np.random.Generator, snr_db: Range = (20, 60)) -> np.ndarray:
    """White noise, each channel's its own, at a level relative to that of the sound."""
    level = _rms(audio) * 10 ** (-rng.uniform(*snr_db) / 20)
    return audio + np.float32(level) * rng.standard_normal(audio.shape, np.float32)


def loudness(audio: np.ndarray, sample_rate: int, rng: np.random.Generator, gain_db: Range = (-6, 3)) -> np.ndarray:
    """Louder or quieter, evenly in dB."""
    return audio * np.float32(10 ** (rng.uniform(*gain_db) / 20))


def mp3(audio: np.ndarray, sample_rate: int, rng: np.random.Generator, kbps: Range = (64, 320)) -> np.ndarray:
    """Coded as MP3 of a constant rate, which is drawn evenly and as near as the format has it, and decoded."""
    lowest, highest = _MP3_KBPS[sample_rate]
    level = (highest - min(max(rng.uniform(*kbps), lowest), highest)) / (highest - lowest)
    file = io.BytesIO()
    soundfile.write(
        file,
        audio.T,
        sample_rate,
        "MPEG_LAYER_III",
        format="MP3",
        compression_level=min(level, 0.999),  # libsndfile 1.2.2 refuses 1
        bitrate_mode="CONSTANT",
    )
    file.seek(0)
    coded = soundfile.read(file, dtype="float32", always_2d=True)[0].T
    samples = audio.shape[1]
    # LAME's tag says what to leave out. Where frames are so short that it does not fit, all of it is decoded.
    start = 0 if coded.shape[1] == samples else _MP3_DELAY
    return coded[:, start : start + samples]


EFFECTS: dict[str, Callable[..., np.ndarray]] = {  # in the order in which they change a sound
    each.__name__: each for each in (equalizer, compressor, distortion, reverb, noise, loudness, mp3)
}
NEED_PEDALBOARD = ("equalizer", "compressor", "distortion", "reverb")
_LIMITS = {
    "gain_db": (-60, 60),
    "threshold_db": (-100, 0),
    "ratio": (1, 100),
    "drive_db": (0, 60),
    "room_size": (0, 1),
    "damping": (0, 1),
    "wet": (0, 1),
    "snr_db": (-20, 120),
    "kbps": (8, 320),
}
_RESERVED = ("effect", "share", "stems")  # of an entry; all else are options of its effect


@dataclass(frozen=True)
class Effect:
    """An entry of `data.effects`.

    Attributes:
        name: Of the entry, whose random numbers are its own.
        effect: Which of `EFFECTS`.
        share: Of the sounds, that it changes.
        stems: That it changes, or the mixture; None for all stems.
        ranges: Of its options.
    """

    name: str
    effect: str
    share: float
    stems: tuple[str, ...] | None
    ranges: tuple[tuple[str, Range], ...]

    @property
    def changes_stems(self) -> bool:
        """Whether it changes more than the mixture."""
        return self.stems != (MIXTURE,)

    def changes(self, stem: str) -> bool:
        """Whether it may change a stem, or the mixture."""
        return stem != MIXTURE if self.stems is None else stem in self.stems

    def apply(self, audio: np.ndarray, sample_rate: int, seed: int, number: int, stem: str) -> np.ndarray:
        """A stem, or the mixture, of chunk `number` (C, T), changed or as it was."""
        rng = stream(seed, number, PURPOSE, *f"{self.name}/{stem}".encode())
        if rng.random() >= self.share or not audio.any():
            return audio
        return EFFECTS[self.effect](np.ascontiguousarray(audio), sample_rate, rng, **dict(self.ranges))


def effects_of(given: Mapping[str, Any] | None) -> tuple[Effect, ...]:
    """The entries of `data.effects`: for each its share, or {effect, share, stems, options of the effect}.

    Raises:
        ImportError: If an effect lacks a package.
        ValueError: If there is no such effect or option, or a number is out of its range.
    """
    entries = [_effect(name, each) for name, each in (given or {}).items()]
    order = list(EFFECTS)
    return tuple(sorted((x for x in entries if x.share), key=lambda x: (order.index(x.effect), x.name)))


def _effect(name: str, given: Any) -> Effect:
    place = f"data.effects: '{plain_name(name, 'data.effects: the entry')}'"
    fields = dict(given) if isinstance(given, Mapping) else {"share": given}
    effect = fields.get("effect", name)
    if effect not in EFFECTS:
        raise ValueError(f"data.effects: there is no effect {shown(effect)}. {choices(str(effect), EFFECTS)}")
    share = fields.get("share")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise ValueError(f"{place} needs a share of the sounds that it changes, from 0 to 1, not {shown(share)}")
    stems = fields.get("stems")
    stems = [stems] if isinstance(stems, str) else stems
    if stems is not None and not (isinstance(stems, list) and stems and all(isinstance(x, str) for x in stems)):
        raise ValueError(f"{place}: stems must be names of stems, as [vocals, drums], not {shown(stems)}")
    known = list(inspect.signature(EFFECTS[effect]).parameters)[3:]
    ranges = {
        option: _range(place, option, value, known) for option, value in fields.items() if option not in _RESERVED
    }
    _check_installed(effect)
    return Effect(name, effect, float(share), None if stems is None else tuple(stems), tuple(sorted(ranges.items())))


def _range(place: str, option: str, value: Any, known: Sequence[str]) -> Range:
    if option not in known:
        raise ValueError(f"{place} has no option '{option}'. {choices(option, [*known, *_RESERVED])}")
    least, most = _LIMITS[option]
    numbers = isinstance(value, list | tuple) and all(type(x) in (int, float) for x in value)
    if not numbers or len(value) != 2 or not least <= value[0] <= value[1] <= most:
        raise ValueError(
            f"{place}: {option} must be a range from low to high within {least} to {most}, not {shown(value)}"
        )
    return float(value[0]), float(value[1])


def _check_installed(effect: str) -> None:
    if effect in NEED_PEDALBOARD and find_spec("pedalboard") is None:
        raise ImportError(f"data.effects: {effect} needs pedalboard: pip install 'msbench[augment]'")
    if effect == "mp3" and "MP3" not in soundfile.available_formats():
        raise ImportError(
            f"data.effects: mp3 needs libsndfile 1.1 or later, not {soundfile.__libsndfile_version__}: "
            "pip install --upgrade --force-reinstall soundfile"
        )


def with_effects(
    audio: np.ndarray, effects: Sequence[Effect], sample_rate: int, seed: int, number: int, stem: str
) -> np.ndarray:
    """A stem, or the mixture, of chunk `number` (C, T) after the effects that are for it."""
    for effect in effects:
        if effect.changes(stem):
            audio = effect.apply(audio, sample_rate, seed, number, stem)
    return audio


def check_effects(effects: Sequence[Effect], stems: Sequence[str], sample_rate: int, channels: int) -> None:
    """Whether effects are for such stems and chunks.

    Raises:
        ValueError: If a stem is none of these, or MP3 has no such sample rate or number of channels.
    """
    for each in effects:
        for stem in each.stems or ():
            if stem not in (*stems, MIXTURE):
                raise ValueError(f"data.effects: '{each.name}': no stem '{stem}'. {choices(stem, [*stems, MIXTURE])}")
        if each.effect == "mp3" and (sample_rate not in _MP3_KBPS or channels > 2):
            raise ValueError(
                f"data.effects: MP3 has sample rates of {', '.join(map(str, sorted(_MP3_KBPS)))} Hz and up to 2 "
                f"channels, and the model has {sample_rate} Hz and {channels}: leave mp3 out"
            )


def _rms(audio: np.ndarray) -> float:
    return float(np.sqrt(np.square(audio).mean()))
