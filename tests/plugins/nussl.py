"""REPET, REPET-SIM and the 2-D Fourier transform as nussl computes them, with its defaults; nussl imports no longer.

Transcribed from nussl/nussl 17368d4: `run` of nussl/separation/primitive/repet.py, repet_sim.py and ft2d.py, the
transforms of core/audio_signal.py and the masks of base/mask_separation_base.py, with arrays for its classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.signal
from scipy.ndimage import maximum_filter, uniform_filter

EPSILON = 1e-16
MaskOf = Callable[[np.ndarray], np.ndarray]  # the background's, from the magnitudes of one channel, (F, N)


def separate(name: str, mixture: np.ndarray, rate: int) -> np.ndarray:
    """(C, T) in double precision to the foreground and the background, (2, C, T)."""
    window = 2 ** math.ceil(math.log2(0.032 * rate))
    sizes = {"window": np.sqrt(scipy.signal.get_window("hann", window)), "nperseg": window, "noverlap": window * 3 // 4}
    spectra = np.stack([scipy.signal.stft(channel, **sizes)[2] for channel in mixture], -1)  # (F, N, C)
    magnitudes = np.abs(spectra)
    mask_of = {"repet": repet, "repet_sim": repet_sim, "ft2d": lambda *_: ft2d}[name](
        magnitudes, rate / (window // 4), mixture.shape[1] / rate
    )
    background = np.stack([mask_of(magnitudes[..., i]) for i in range(len(mixture))], -1)
    low = np.ones(spectra.shape)
    low[np.abs(np.arange(window // 2 + 1) * rate / window - 100).argmin() :] = 0  # benchmark/high_low_pass_filter.py
    estimates = []
    for mask in (np.minimum(1 - background, 1 - low), np.maximum(background, low)):
        masked = magnitudes * mask * np.exp(1j * np.angle(spectra))
        estimates.append([scipy.signal.istft(masked[..., i], **sizes)[1] for i in range(len(mixture))])
    return np.array(estimates)[..., : mixture.shape[1]]


def repet(magnitudes: np.ndarray, frame_rate: float, seconds: float) -> MaskOf:
    power = np.mean(magnitudes**2, 2).T
    frames = len(power)
    spectra = np.fft.fft(power, 2 ** math.ceil(math.log2(2 * frames)), axis=0)
    beats = np.fft.ifft(np.abs(spectra) ** 2, axis=0).real[:frames] / np.arange(frames, 0, -1)[:, None]
    shortest, longest = math.ceil(0.8 * frame_rate), math.ceil(min(8, seconds / 3) * frame_rate)
    period = int(np.argmax(beats.mean(1)[1:][shortest - 1 : longest])) + shortest

    def mask_of(channel: np.ndarray) -> np.ndarray:
        bins, repetitions = len(channel), math.ceil(frames / period)
        padded = np.hstack([channel, np.full((bins, period * repetitions % frames), np.nan)])
        median = np.nanmedian(padded.T.reshape(repetitions, bins * period), axis=0)
        repeated = np.tile(median, (repetitions, 1)).reshape(repetitions * period, bins).T[:, :frames]
        return (np.minimum(repeated, channel) + EPSILON) / (channel + EPSILON)

    return mask_of


def repet_sim(magnitudes: np.ndarray, frame_rate: float, seconds: float) -> MaskOf:
    mean = magnitudes.mean(2).T
    products = mean @ mean.T
    norms = np.sqrt(1 / np.diag(products))
    similarity = products * norms
    similarity = similarity.T * norms
    similar = [peak_indices(row, 100, frame_rate)[1:] for row in similarity]

    def mask_of(channel: np.ndarray) -> np.ndarray:
        medians = [np.median(channel.T[each], axis=0) if each else np.ones(len(channel)) for each in similar]
        return (np.minimum(np.stack(medians, 1), channel) + EPSILON) / (channel + EPSILON)

    return mask_of


def peak_indices(row: np.ndarray, most: int, apart: float) -> list[int]:
    """`find_peak_indices` of core/utils.py, whose threshold of 0 keeps everything."""
    row = (row - row.min()) / (row.max() - row.min())
    peaks: list[int] = []
    while len(peaks) < most and (not peaks or row.sum() != 0):
        peaks.append(int(row.argmax()))
        row[int(max(peaks[-1] - apart, 0)) : int(peaks[-1] + apart + 1)] = 0
    return peaks


def ft2d(channel: np.ndarray) -> np.ndarray:
    """The mask itself, from one channel alone."""
    transform = np.fft.fft2(channel)
    data = np.abs(np.fft.fftshift(transform))
    data /= data.max() + 1e-7
    highest, mean = maximum_filter(data, (1, 25)), uniform_filter(data, (1, 25))
    deviation = np.sqrt(uniform_filter(data**2, (1, 25)) - mean**2) + 1e-7
    peaks = (highest - mean) / deviation * (data == highest)
    peaks /= peaks.max() + 1e-7
    peaks = np.maximum(peaks, np.fliplr(peaks), out=np.flipud(peaks))  # a view, whose own values are lost
    heard = channel + 1e-7
    mask = np.minimum(np.abs(np.fft.ifft2(np.fft.ifftshift(peaks) * transform)), heard) / heard
    return mask / (mask + 1e-7).max()
