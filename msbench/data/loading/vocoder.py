"""Time stretch, pitch shift and formant shift of a stem: pure functions of (channels, samples) float32 and factors.

They are the transformations of Cohen-Hadria, Roebel and Peeters, "Improving singing voice separation using Deep U-Net
and Wave-U-Net with data augmentation", EUSIPCO 2019. The phases and levels of all channels change alike, so that the
stereo image stays; a factor of one gives back what came in.
"""

from __future__ import annotations

import math

import numpy as np
import soxr
from scipy.fft import irfft, rfft

_WINDOW_SECONDS = 0.046  # of the STFT, or the nearest power of two: 2048 samples at 44.1 kHz
_OVERLAP = 4  # windows at each moment
_ENVELOPE_SECONDS = (0.0008, 0.0025)  # quefrencies that are the envelope's fade out here, for voices up to some 500 Hz
_ENVELOPE_ROUNDS = 6  # that raise it from the mean of the harmonics and of what lies between to the harmonics
_ENVELOPE_RANGE_DB = 20.0  # by which a bin is raised or lowered at most
_FLOOR = 1e-8  # of a column's highest power is the least that counts, lest the envelope fall into a hole


def source_samples(samples: int, sample_rate: int, *, stretch: float, pitch: float, speed: float | None) -> int:
    """How many samples have to be read for `replayed` to give this many."""
    if speed is None and stretch == pitch == 1:
        return samples
    beyond = _window_samples(sample_rate) if stretch * pitch != 1 else 0  # for the last column to be whole
    return math.ceil(samples * (speed or 1) / stretch) + 1 + beyond


def replayed(
    audio: np.ndarray, samples: int, sample_rate: int, *, stretch: float, pitch: float, speed: float | None
) -> np.ndarray:
    """The first samples of (C, T) played `stretch` times as slowly, `pitch` times as high and `speed` times as fast.

    The first two leave pitch and duration alone; speed changes both, as a tape's does. A pitch shift is a time stretch
    played faster, so the spectral envelope moves with it.
    """
    result = faster(stretched(audio, stretch * pitch, sample_rate), (speed or 1) * pitch)
    missing = samples - result.shape[1]
    if missing > 0:
        return np.pad(result, ((0, 0), (0, missing)))
    return result[:, :samples] if missing < 0 else result


def faster(audio: np.ndarray, factor: float) -> np.ndarray:
    """(C, T) to (C, T / factor): played that much faster, and higher."""
    return audio if factor == 1 else soxr.resample(audio.T, factor, 1.0, "MQ").T


def stretched(audio: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """(C, T) to (C, T * factor): played that much slower, at the same pitch and level.

    A phase vocoder with identity phase locking: Laroche and Dolson, "Improved phase vocoder time-scale modification of
    audio", 1999. A column of the result is one of the source, each bin rotated by an angle: that of the peak it belongs
    to, which goes on from the column before by what the source's phase does within a hop. The angle is common to all
    channels: torchaudio's vocoder lets them drift apart, and its unlocked bins take 3 dB from a noise.
    """
    if factor == 1:
        return audio
    window = _window_samples(sample_rate)
    hop = window // _OVERLAP
    samples = round(audio.shape[1] * factor)
    if not audio.any():
        return np.zeros((len(audio), samples), np.float32)
    middles = np.round(np.arange(-(-samples // hop) + 1) * (hop / factor)).astype(int)
    columns = _stft(audio, middles, window)
    # What leads up to each column, from exactly one hop of the result earlier: the source's own rotation within a hop.
    before = _stft(audio, middles[1:] - hop, window)
    rotations = (columns[:, :-1] * before.conj()).sum(0)
    size = np.abs(rotations)
    rotations = np.where(size > 0, rotations / np.maximum(size, np.finfo(np.float32).tiny), 1)
    peaks = _nearest_peaks(_power(columns))
    rotation = np.ones(columns.shape[2], np.complex64)
    for m in range(1, columns.shape[1]):
        rotation = (rotation * rotations[m - 1])[peaks[m]]
        columns[:, m] *= rotation
    return _at_level_of(audio, _istft(columns, window, samples))


def with_formants(audio: np.ndarray, ratio: float, sample_rate: int) -> np.ndarray:
    """(C, T) to (C, T): the spectral envelope moved up by a ratio of frequencies, pitch and level kept.

    The envelope of a column is the true envelope of Roebel and Rodet, "Efficient spectral envelope estimation and its
    application to pitch shifting and envelope preservation", DAFx 2005, of the power of all channels.
    """
    if ratio == 1 or not audio.any():
        return audio
    window = _window_samples(sample_rate)
    hop = window // _OVERLAP
    middles = np.arange(-(-audio.shape[1] // hop) + 1) * hop
    columns = _stft(audio, middles, window)
    envelope = _envelope(_power(columns), window, sample_rate)
    bins = np.arange(envelope.shape[1])
    source = np.minimum(bins / ratio, bins[-1])
    low = np.minimum(source.astype(int), bins[-1] - 1)
    part = (source - low).astype(np.float32)
    moved = envelope[:, low] * (1 - part) + envelope[:, low + 1] * part
    limit = _ENVELOPE_RANGE_DB / 20 * math.log(10)
    columns *= np.exp(np.clip(moved - envelope, -limit, limit))
    return _at_level_of(audio, _istft(columns, window, audio.shape[1]))


def _envelope(power: np.ndarray, window: int, sample_rate: int) -> np.ndarray:
    """Of the columns of (M, K), in nepers: smoothed by its cepstrum, again and again where it lies above the column."""
    quefrency = np.minimum(np.arange(window), window - np.arange(window)) / sample_rate
    whole, none = _ENVELOPE_SECONDS
    lifter = 0.5 + 0.5 * np.cos(np.pi * np.clip((quefrency - whole) / (none - whole), 0, 1)).astype(np.float32)
    least = _FLOOR * power.max(1, keepdims=True) + np.finfo(np.float32).tiny
    column = np.log(np.maximum(power, least)) / 2
    envelope = column
    for _ in range(1 + _ENVELOPE_ROUNDS):
        column = np.maximum(column, envelope)
        envelope = rfft(irfft(column, axis=1) * lifter, axis=1).real
    return envelope


def _at_level_of(audio: np.ndarray, result: np.ndarray) -> np.ndarray:
    """The result with each channel as loud as that of the audio, in RMS over all of both."""
    before, after = (np.square(part).mean(1, keepdims=True) for part in (audio, result))
    return result * np.sqrt(np.divide(before, after, where=after > 0, out=np.zeros_like(after)))


def _window_samples(sample_rate: int) -> int:
    """A power of two."""
    return int(2 ** round(math.log2(_WINDOW_SECONDS * sample_rate)))


def _hann(window: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)


def _stft(audio: np.ndarray, middles: np.ndarray, window: int) -> np.ndarray:
    """(C, M, window / 2 + 1) around these samples, which need not be within the audio."""
    front = window  # a middle lies at most a hop before the audio
    back = max(0, int(middles[-1]) + window - audio.shape[1])
    padded = np.pad(audio, ((0, 0), (front, back)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, middles + front - window // 2]
    spectrum: np.ndarray = rfft(windows * _hann(window), axis=2)
    return spectrum


def _istft(columns: np.ndarray, window: int, samples: int) -> np.ndarray:
    """(C, samples): columns of which the first is around sample 0, and each a quarter window after the last."""
    hop = window // _OVERLAP
    weights = _hann(window)
    blocks = (irfft(columns, axis=2) * weights).reshape(*columns.shape[:2], _OVERLAP, hop)
    squares = (weights**2).reshape(_OVERLAP, hop)
    total = np.zeros((len(columns), columns.shape[1] + _OVERLAP - 1, hop), np.float32)
    weight = np.zeros(total.shape[1:], np.float32)
    for i in range(_OVERLAP):
        total[:, i : i + columns.shape[1]] += blocks[:, :, i]
        weight[i : i + columns.shape[1]] += squares[i]
    total /= np.maximum(weight, np.finfo(np.float32).tiny)
    return total.reshape(len(columns), -1)[:, window // 2 : window // 2 + samples]


def _power(columns: np.ndarray) -> np.ndarray:
    """(M, K), of all channels."""
    return (columns.real**2 + columns.imag**2).sum(0)


def _nearest_peaks(power: np.ndarray) -> np.ndarray:
    """For each bin of (M, K) the nearest that is higher than its four neighbors; itself where there is none."""
    count = power.shape[1]
    padded = np.pad(power, ((0, 0), (2, 2)), constant_values=-1)
    around = np.maximum.reduce([padded[:, i : i + count] for i in (0, 1, 3, 4)])
    bins = np.arange(count)
    is_peak = power > around
    far = 2 * count
    below = np.maximum.accumulate(np.where(is_peak, bins, -far), axis=1)
    above = np.minimum.accumulate(np.where(is_peak, bins, far)[:, ::-1], axis=1)[:, ::-1]
    nearest = np.where(bins - below <= above - bins, below, above)
    return np.where(is_peak.any(1, keepdims=True), nearest, bins)
