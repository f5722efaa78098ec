"""Drums apart from what is in tune: harmonic-percussive separation by median filters. Nothing is trained.

Fitzgerald 2010, "Harmonic/percussive separation using median filtering" (DAFx-10); the margin is of Driedger, Müller &
Disch 2014 (ISMIR). In the magnitudes a tone is a line along time and a beat one along frequency. A median over
neighboring frames removes the beats, a median over neighboring bins the tones, and the two make a Wiener mask:

    M_P = P^p / (P^p + (m H)^p)

for the medians P over frequency and H over time, the power p and the margin m. The arithmetic is librosa's
(`librosa.decompose.hpss` and `librosa.util.softmask`, 0.11), with its defaults and those of `librosa.stft`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from msbench import STFT, Separator, median_of_rows


class Hpss(Separator):
    """HPSS: what is percussive is the estimate of the drums; what that leaves of the mixture is harmonic.

    Args:
        sample_rate, channels: As for `Separator`.
        window_samples, hop_samples: Of the STFT.
        frames: Length of the median over time, in frames.
        bins: Length of the median over frequency, in bins.
        power: Exponent of the medians in the mask; 1 is linear, 2 Wiener's.
        margin: How many times as high the median over frequency has to be: at least 1.
        harmonic: Adds the target `harmonic`, to listen to. No dataset has it; `drums` alone is scored with what it
            leaves of the mixture.

    Raises:
        ValueError: If a number is out of its range.
    """

    trainable = False

    def __init__(
        self,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 2048,
        hop_samples: int = 512,
        frames: int = 31,
        bins: int = 31,
        power: float = 2.0,
        margin: float = 1.0,
        harmonic: bool = False,
    ) -> None:
        super().__init__(["drums", "harmonic"] if harmonic else ["drums"], sample_rate, channels)
        for name, length in (("frames", frames), ("bins", bins)):
            if length < 1 or length % 2 == 0:
                raise ValueError(f"{name}, the length of a median filter, must be odd and at least 1, not {length}")
        if not 0 < power < math.inf:
            raise ValueError(f"power must be above 0, not {power}")
        if not 1 <= margin < math.inf:
            raise ValueError(f"margin must be at least 1, not {margin}")
        self.stft = STFT(window_samples, hop_samples)
        self.stride_samples = hop_samples
        self.frames, self.bins, self.power, self.margin = frames, bins, power, margin

    def forward(self, mixture: Tensor) -> Tensor:
        drums = torch.empty_like(mixture)
        for song, channel in ((i, j) for i in range(len(mixture)) for j in range(self.channels)):
            waveform = mixture[song, channel]
            spectrum = self.stft(waveform)
            drums[song, channel] = self.stft.inverse(self.mask(spectrum.abs()) * spectrum, len(waveform))
        return torch.stack([drums, mixture - drums][: len(self.targets)], 1)

    def mask(self, magnitudes: Tensor) -> Tensor:
        """The percussive mask (F, N) of magnitudes (F, N)."""
        harmonic = median_of_rows(magnitudes.mT, _neighbors(magnitudes.shape[1], self.frames)).mT
        percussive = median_of_rows(magnitudes, _neighbors(magnitudes.shape[0], self.bins))
        harmonic = harmonic * self.margin
        # Relative to the larger one, so that no power over- or underflows; silence is shared, or is of neither.
        largest = torch.maximum(harmonic, percussive)
        silent = largest < torch.finfo(largest.dtype).tiny
        largest[silent] = 1
        harmonic.div_(largest).pow_(self.power)
        percussive.div_(largest).pow_(self.power)
        mask = percussive / harmonic.add_(percussive).masked_fill_(silent, 1)
        return mask.masked_fill_(silent, 0.5 if self.margin == 1 else 0.0)


def _neighbors(count: int, length: int) -> Tensor:
    """The rows around each of so many rows, mirrored at the ends with the outermost one twice: (count, length)."""
    rows = (torch.arange(count)[:, None] + torch.arange(length) - length // 2) % (2 * count)
    return torch.where(rows < count, rows, 2 * count - 1 - rows)
