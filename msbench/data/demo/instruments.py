"""Four synthesized instruments: drums, bass, chords and a singing voice.

Every instrument is a pure function of what it plays, the sample rate in Hz and a random generator, which draws the
timbre; it returns a float array (channels, time) with two channels. Levels are left to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfilt

Array = NDArray[np.float32]

CHORD_STYLES = ("pad", "plucked", "organ", "arp")
DRUM_SOUNDS = ("kick", "snare", "hat", "open_hat", "tom")
CONTROL_HZ = 500  # pitch, loudness and vowel of the voice move far slower than audio
CONSONANT_SECONDS = 0.07

# Formant centres in Hz (alto voice, as tabled in the Csound manual), one row a vowel: a, e, i, o, u.
VOWELS = np.array(
    [
        (800, 1150, 2800, 3500, 4950),
        (400, 1600, 2700, 3300, 4950),
        (350, 1700, 2700, 3700, 4950),
        (450, 800, 2830, 3500, 4950),
        (325, 700, 2530, 3500, 4950),
    ]
)
FORMANT_BANDWIDTHS_HZ = np.array((90, 110, 150, 180, 220))


class Note(NamedTuple):
    """One note: start and duration in seconds, MIDI pitch (69 is 440 Hz), level from 0 to 1."""

    start: float
    duration: float
    pitch: float
    level: float = 1.0


class Hit(NamedTuple):
    """One stroke of the drum kit: start in seconds, a name of `DRUM_SOUNDS`, level from 0 to 1."""

    start: float
    sound: str
    level: float = 1.0


def drums(hits: Sequence[Hit], duration: float, sample_rate: int, rng: Generator) -> Array:
    """A kit with the kick in the middle, snare next to it, hats and toms to the sides."""
    side = rng.choice((-1.0, 1.0))
    pans = {"kick": 0.0, "snare": 0.1 * side, "hat": -0.55 * side, "open_hat": -0.55 * side, "tom": 0.4 * side}
    sounds = {name: _pan(_drum_sound(name, sample_rate, rng), pans[name]) for name in DRUM_SOUNDS}
    kit = _silence(duration, sample_rate)
    for hit in hits:
        _add(kit, hit.level * sounds[hit.sound], hit.start, sample_rate)
    return _room(kit, sample_rate, rng, wet=0.12, decay_seconds=0.12)


def bass(notes: Sequence[Note], duration: float, sample_rate: int, rng: Generator) -> Array:
    """Plucked bass in the middle: few harmonics, which fade faster than the fundamental."""
    brightness, decay = rng.uniform(0.45, 0.6), rng.uniform(0.7, 1.2)
    line = _silence(duration, sample_rate)
    for note in notes:
        t = _time(note.duration, sample_rate)
        tone = _harmonics(_phase(note.pitch, t), brightness * np.exp(-t / 0.5))
        tone *= note.level * np.exp(-t / decay) * _fades(t, 0.006, 0.03)
        _add(line, _pan(tone, 0.0), note.start, sample_rate)
    return line


def chords(notes: Sequence[Note], style: str, duration: float, sample_rate: int, rng: Generator) -> Array:
    """Polyphonic accompaniment in one of `CHORD_STYLES`, spread over the stereo image by pitch."""
    if style not in CHORD_STYLES:
        raise ValueError(f"style must be one of {', '.join(CHORD_STYLES)}, not '{style}'")
    render = {"pad": _pad, "plucked": _plucked, "organ": _organ, "arp": _arp}[style]
    tint = rng.uniform(-1.0, 1.0)
    side = rng.choice((-1.0, 1.0))
    band = _silence(duration, sample_rate)
    for note in notes:
        t = _time(note.duration, sample_rate)
        position = 0.5 * side * np.sin(note.pitch)  # a fixed place for each pitch, as the strings of a harp
        _add(band, note.level * _pan(render(note.pitch, t, tint), position), note.start, sample_rate)
    return _room(band, sample_rate, rng, wet=0.25, decay_seconds=0.25)


def voice(notes: Sequence[Note], duration: float, sample_rate: int, rng: Generator) -> Array:
    """A singer in the middle: glottal pulses and breath through formants that glide from vowel to vowel.

    Pitch slides between notes (portamento) and swings by half a semitone on held ones (vibrato); syllables begin with
    a consonant's noise, and each longer pause holds a breath.
    """
    samples = round(duration * sample_rate)
    pitch, loudness, vowels = _sung_controls(notes, duration, rng)
    at = np.arange(samples) * (CONTROL_HZ / sample_rate)
    grid = np.arange(pitch.size)
    frequency = 440.0 * 2 ** ((np.interp(at, grid, pitch) - 69) / 12)
    level = np.interp(at, grid, loudness).astype(np.float32)
    phase = np.mod(np.cumsum(frequency) / sample_rate, 1.0).astype(np.float32) * np.float32(2 * np.pi)
    source = _harmonics(phase, rng.uniform(0.86, 0.9)) + 0.1 * _noise(samples, rng)
    source *= level
    throat = rng.uniform(0.95, 1.1)  # formants of a shorter or longer vocal tract
    sung = np.zeros(samples, np.float32)
    for vowel, weight in zip(VOWELS, vowels, strict=True):
        if weight.any():
            sung += np.interp(at, grid, weight).astype(np.float32) * _resonate(source, throat * vowel, sample_rate)
    sung /= np.sqrt(np.mean(sung**2)) + 1e-9
    sung += _mouth_noise(notes, samples, sample_rate, rng)
    return _room(_pan(sung, 0.0), sample_rate, rng, wet=0.15, decay_seconds=0.3)


def _sung_controls(notes: Sequence[Note], duration: float, rng: Generator) -> tuple[Array, Array, Array]:
    """Pitch (MIDI), loudness and the weight of each vowel (vowel, time) at `CONTROL_HZ`."""
    t = np.arange(round(duration * CONTROL_HZ) + 1) / CONTROL_HZ
    rate, depth = rng.uniform(5.0, 6.2), rng.uniform(0.35, 0.6)
    pitch, held, loudness = np.full(t.size, float(notes[0].pitch)), np.zeros(t.size), np.zeros(t.size)
    vowels = np.zeros((len(VOWELS), t.size))
    starts = [0.0, *(note.start for note in notes[1:]), duration + 1]
    for note, begin, end in zip(notes, starts[:-1], starts[1:], strict=True):
        here = (t >= begin) & (t < end)  # a note's pitch and vowel last through the pause that follows
        pitch[here] = note.pitch
        held[here] = np.clip((t[here] - note.start - 0.1) / 0.25, 0, 1)
        vowels[rng.integers(len(VOWELS)), here] = 1
        sung = (t >= note.start) & (t < note.start + note.duration - 0.03)
        loudness[sung] = note.level * (1 - 0.3 * (t[sung] - note.start) / note.duration)
    pitch = gaussian_filter1d(pitch, 0.02 * CONTROL_HZ)
    drift = np.cumsum(rng.normal(0, 0.02, t.size))  # no singer's vibrato is a clock
    pitch += depth * held * np.sin(2 * np.pi * rate * t + drift)
    vowels = gaussian_filter1d(vowels, 0.025 * CONTROL_HZ)
    return pitch.astype(np.float32), gaussian_filter1d(loudness, 0.015 * CONTROL_HZ), vowels.astype(np.float32)


def _mouth_noise(notes: Sequence[Note], samples: int, sample_rate: int, rng: Generator) -> Array:
    """Consonants before most notes and breaths in the pauses, for a voice of unit power; (time,)."""
    noise = _noise(samples, rng)
    hiss, air = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
    end = 0.0
    for note in notes:
        if rng.random() < 0.6:
            _add(hiss, rng.uniform(0.3, 0.7) * _hump(CONSONANT_SECONDS, sample_rate), note.start - 0.05, sample_rate)
        pause = note.start - end
        if pause > 0.2:
            _add(air, 0.1 * _hump(pause - 0.1, sample_rate), end + 0.03, sample_rate)
        end = note.start + note.duration
    return hiss * _band(noise, 3500, 9000, sample_rate) + air * _band(noise, 900, 4500, sample_rate)


def _drum_sound(name: str, sample_rate: int, rng: Generator) -> Array:
    """One stroke at unit level, (time,)."""
    t = _time({"kick": 0.4, "snare": 0.35, "hat": 0.12, "open_hat": 0.4, "tom": 0.45}[name], sample_rate)
    noise = _noise(t.size, rng)
    tune = rng.uniform(0.92, 1.08)
    if name in ("hat", "open_hat"):
        decay = 0.03 if name == "hat" else 0.12
        return 0.5 * _band(noise, 6000, 14000, sample_rate) * np.exp(-t / (decay * tune)) * _fades(t, 0.0005, 0.02)
    if name == "snare":
        skin = 0.7 * np.sin(2 * np.pi * 190 * tune * t + 2 * np.exp(-t / 0.01)) * np.exp(-t / 0.06)
        wires = 0.9 * _band(noise, 700, 7500, sample_rate) * np.exp(-t / (0.09 * tune))
        return (skin + wires) * _fades(t, 0.0005, 0.02)
    low, sweep, ring = (48, 4.0, 0.11) if name == "kick" else (115, 0.6, 0.14)
    # The pitch falls from (1 + sweep) times `low` within 25 ms; its integral is the phase.
    cycles = low * tune * (t + sweep * 0.025 * (1 - np.exp(-t / 0.025)))
    click = 0.35 * _band(noise, 1000, 6000, sample_rate) * np.exp(-t / 0.006)
    return (1.5 * np.sin(2 * np.pi * cycles) * np.exp(-t / (ring * tune)) + click) * _fades(t, 0.0005, 0.03)


def _pad(pitch: float, t: Array, tint: float) -> Array:
    slow = 0.5 * (_harmonics(_phase(pitch - 0.04, t), 0.6 + 0.05 * tint) + _harmonics(_phase(pitch + 0.04, t), 0.6))
    return slow * _fades(t, 0.08, 0.12)


def _plucked(pitch: float, t: Array, tint: float) -> Array:
    return (
        _harmonics(_phase(pitch, t), (0.75 + 0.05 * tint) * np.exp(-t / 0.6))
        * np.exp(-t / 0.8)
        * _fades(t, 0.004, 0.05)
    )


def _organ(pitch: float, t: Array, tint: float) -> Array:
    phase = _phase(pitch, t)
    drawbars = ((1, 1.0), (2, 0.7), (3, 0.4 + 0.1 * tint), (4, 0.3), (6, 0.15), (8, 0.1))
    tone = sum((gain * np.sin(k * phase) for k, gain in drawbars), np.zeros_like(t))
    return tone * (1 + 0.15 * np.sin(2 * np.pi * 3.3 * t)) * _fades(t, 0.01, 0.04)


def _arp(pitch: float, t: Array, tint: float) -> Array:
    return (
        _harmonics(_phase(pitch, t), (0.7 + 0.05 * tint) * np.exp(-t / 0.25))
        * np.exp(-t / 0.35)
        * _fades(t, 0.003, 0.03)
    )


def _harmonics(phase: Array, brightness: float | Array) -> Array:
    """Harmonic k with amplitude brightness^(k - 1), for all k at once.

    The geometric series has the closed form sin(p) / (1 - 2 r cos(p) + r^2): two trigonometric functions instead of
    one a harmonic, and no abrupt end that would alias.
    """
    return np.sin(phase) / (1 - 2 * brightness * np.cos(phase) + brightness**2)  # type: ignore[return-value]


def _phase(pitch: float, t: Array) -> Array:
    """Phase in radians, kept below 2 pi so that 32 bits suffice."""
    cycles = np.float64(440.0 * 2 ** ((pitch - 69) / 12)) * t.astype(np.float64)
    return np.mod(cycles, 1.0).astype(np.float32) * np.float32(2 * np.pi)


def _time(seconds: float, sample_rate: int) -> Array:
    return np.arange(round(seconds * sample_rate), dtype=np.float32) / np.float32(sample_rate)


def _noise(samples: int, rng: Generator) -> Array:
    return rng.standard_normal(samples, dtype=np.float32)


def _fades(t: Array, attack: float, release: float) -> Array:
    """Linear rise over `attack` seconds and fall over the last `release` seconds."""
    return np.minimum(np.minimum(t / attack, (t[-1] - t) / release), 1)


def _hump(seconds: float, sample_rate: int) -> Array:
    return np.hanning(round(seconds * sample_rate)).astype(np.float32)


def _band(x: Array, low: float, high: float, sample_rate: int) -> Array:
    """Band-pass; `high` gives way where the sample rate is too low for it."""
    high = min(high, 0.45 * sample_rate)
    return sosfilt(butter(2, (min(low, 0.5 * high), high), "bandpass", fs=sample_rate, output="sos").astype(x.dtype), x)


def _resonate(x: Array, centres: NDArray[np.floating], sample_rate: int) -> Array:
    """Klatt's cascade: one two-pole resonator of unit gain at 0 Hz a formant; those beyond Nyquist are left out."""
    keep = centres < 0.45 * sample_rate
    radius = np.exp(-np.pi * FORMANT_BANDWIDTHS_HZ[keep] / sample_rate)
    a1, a2 = -2 * radius * np.cos(2 * np.pi * centres[keep] / sample_rate), radius**2
    zero, one = np.zeros_like(a1), np.ones_like(a1)
    sections = np.stack([1 + a1 + a2, zero, zero, one, a1, a2], 1)
    return sosfilt(sections, x.astype(np.float64)).astype(np.float32)


def _pan(mono: Array, position: float) -> Array:
    """(time,) to (2, time) at constant power; -1 is left, 1 right."""
    angle = (position + 1) * np.pi / 4
    return np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * mono


def _silence(duration: float, sample_rate: int) -> Array:
    return np.zeros((2, round(duration * sample_rate)), np.float32)


def _add(track: Array, sound: Array, start: float, sample_rate: int) -> None:
    """Adds `sound` into `track` from `start` seconds on; what lies outside is cut."""
    first = round(start * sample_rate)
    skip = max(0, -first)
    room = track[..., max(0, first) : max(0, first + sound.shape[-1])]
    room += sound[..., skip : skip + room.shape[-1]]


def _room(dry: Array, sample_rate: int, rng: Generator, wet: float, decay_seconds: float) -> Array:
    """Adds a small room: decaying noise, another for each side, as response to the middle; `wet` is its gain."""
    t = _time(4 * decay_seconds, sample_rate)
    response = _band(_noise(2 * t.size, rng), 200, 6000, sample_rate).reshape(2, -1) * np.exp(-t / decay_seconds)
    response *= wet / np.sqrt(np.sum(response**2, 1, keepdims=True))
    size = next_fast_len(dry.shape[1] + t.size, real=True)
    tail = irfft(rfft(dry.mean(0), size) * rfft(response, size), size)
    return dry + tail[:, : dry.shape[1]]
