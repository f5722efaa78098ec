"""Voice apart from what repeats: REPET, REPET-SIM and the 2-D Fourier transform. Nothing is trained.

Rafii & Pardo 2013, "REpeating Pattern Extraction Technique (REPET)" (IEEE TASLP 21.1); Rafii & Pardo 2012, "Music/voice
separation using the similarity matrix" (ISMIR); Seetharaman, Pishdadian & Pardo 2017, "Music/voice separation using the
2D Fourier transform" (WASPAA). An accompaniment repeats and a voice does not: a model of what repeats in the magnitudes
becomes a soft mask, the estimate of the accompaniment; the voice is the rest of the mixture.

The arithmetic, and the settings where papers leave them open, are those of nussl (nussl/nussl 17368d4,
nussl/separation/primitive: repet.py, repet_sim.py, ft2d.py), which its authors maintain. docs/fidelity.md has the
differences. A song is taken whole, as it repeats over minutes.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
import torch
from scipy import fft, ndimage
from torch import Tensor, nn

from msbench import STFT, Separator, median_of_rows

EPS = 1e-16  # nussl's EPSILON: a silent bin belongs to the accompaniment
SMALL = 1e-7  # nussl's, in ft2d.py
BLOCK, FRAMES = 2**23, 1024  # values and frames at a time: what bounds the memory beyond the spectra


class _Repetition(Separator):
    """What the three share: the STFT, the mask on it, and what lies below the voice.

    The STFT is nussl's by default (core/audio_signal.py): a sine window of a power of 2 that holds 32 ms, 2048 samples
    at 44.1 kHz, and a quarter of it as the hop.
    """

    trainable = False
    chunking: ClassVar[Literal["any", "song"]] = "song"
    song_memory = 6.0  # of a song of two minutes; most of it is the STFT of one channel, there and back

    def __init__(
        self,
        sample_rate: int,
        channels: int,
        window_samples: int | None,
        hop_samples: int | None,
        high_pass_hz: float,
    ) -> None:
        super().__init__(["vocals", "accompaniment"], sample_rate, channels)
        if not 0 <= high_pass_hz <= sample_rate / 2:
            raise ValueError(f"high_pass_hz must be between 0 and half of sample_rate, not {high_pass_hz}")
        if window_samples is None:
            window_samples = 2 ** max(2, math.ceil(math.log2(0.032 * sample_rate)))
        self.stft = STFT(window_samples, window_samples // 4 if hop_samples is None else hop_samples, window="sine")
        self.stride_samples = self.stft.hop_samples
        # The bins below the one that is nearest to the cutoff have no voice.
        frequencies = torch.arange(self.stft.bins) * (sample_rate / window_samples)
        self.low_bins = int((frequencies - high_pass_hz).abs().argmin())

    def forward(self, mixture: Tensor) -> Tensor:
        return torch.stack([self._separated(song) for song in mixture])

    def _separated(self, song: Tensor) -> Tensor:
        """(C, T) to (2, C, T), one channel after the other, as each has its own mask."""
        found = self.look(song)
        estimates = song.new_empty(2, *song.shape)
        for background, waveform in zip(estimates[1], song, strict=True):
            mask = self.mask(self.magnitudes(waveform), found)
            mask[:, : self.low_bins] = 1
            background[:] = self.stft.inverse(self.stft(waveform).mul_(mask.mT), len(waveform))
        torch.sub(song, estimates[1], out=estimates[0])
        return estimates

    def magnitudes(self, waveform: Tensor) -> Tensor:
        """(T,) to (N, F): frames are rows."""
        return self.stft(waveform).abs().mT.contiguous()

    def look(self, song: Tensor) -> tuple[Tensor, Tensor] | None:
        """What is found in all channels (C, T) together: which rows of frames to take the median of, and how many."""
        return None

    def mask(self, magnitudes: Tensor, found: tuple[Tensor, Tensor] | None) -> Tensor:
        """The accompaniment's mask (N, F) of one channel's magnitudes (N, F), which it may write into."""
        raise NotImplementedError


class _MedianMask(_Repetition):
    """The accompaniment is at most the median of frames that should be the same, and at most the mixture."""

    def mask(self, magnitudes: Tensor, found: tuple[Tensor, Tensor] | None) -> Tensor:
        if found is None:
            return torch.ones_like(magnitudes)
        rows, counts = found
        medians = median_of_rows(magnitudes, rows, counts)
        medians[counts == 0] = torch.inf  # a frame that is like no other one is accompaniment
        for start in range(0, len(magnitudes), FRAMES):
            heard = magnitudes[start : start + FRAMES]
            repeated = medians[torch.arange(start, start + len(heard)) % len(medians)]
            heard.copy_(torch.minimum(repeated, heard).add_(EPS).div_(heard + EPS))
        return magnitudes


class Repet(_MedianMask):
    """REPET: the median over all periods of one period, which is the highest peak of the beat spectrum.

    The beat spectrum is the mean over frequency of the autocorrelation over time of the power, averaged over channels;
    the lag with the highest value between two bounds is the period. A song too short for three of the shortest periods
    has none, and is accompaniment.

    Args:
        sample_rate, channels: As for `Separator`.
        window_samples, hop_samples: Of the STFT; None for nussl's at this rate.
        high_pass_hz: What is below is accompaniment.
        shortest_seconds, longest_seconds: Bounds of the period, which is at most a third of the song.
    """

    def __init__(
        self,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int | None = None,
        hop_samples: int | None = None,
        high_pass_hz: float = 100.0,
        shortest_seconds: float = 0.8,
        longest_seconds: float = 8.0,
    ) -> None:
        super().__init__(sample_rate, channels, window_samples, hop_samples, high_pass_hz)
        if not 0 < shortest_seconds <= longest_seconds < math.inf:
            raise ValueError(
                "shortest_seconds must be above 0 and at most longest_seconds, not "
                f"{shortest_seconds} and {longest_seconds}"
            )
        self.shortest_seconds, self.longest_seconds = shortest_seconds, longest_seconds

    def look(self, song: Tensor) -> tuple[Tensor, Tensor] | None:
        rate = self.sample_rate / self.stft.hop_samples
        shortest = math.ceil(self.shortest_seconds * rate)
        longest = math.ceil(min(self.longest_seconds, song.shape[1] / self.sample_rate / 3) * rate)
        if longest < shortest:
            return None
        beats = self.beat_spectrum(song)
        period = shortest + int(beats[shortest : longest + 1].argmax())
        frames = len(beats)
        repetitions = -(-frames // period)
        rows = torch.arange(repetitions * period).reshape(repetitions, period).T
        return rows.clamp_max(frames - 1), (rows < frames).sum(1)

    def beat_spectrum(self, song: Tensor) -> Tensor:
        """(C, T) to (N,), by lag in frames."""
        power = self.magnitudes(song[0]).square_()
        for waveform in song[1:]:
            power += self.magnitudes(waveform).square_()  # the sum for the mean: a period has no level
        frames, bins = power.shape
        size = fft.next_fast_len(2 * frames, real=True)  # no lag wraps around
        total = torch.zeros(size // 2 + 1, dtype=torch.float64, device=power.device)
        step = max(1, BLOCK // (8 * size))
        for low in range(0, bins, step):
            spectra = torch.fft.rfft(power[:, low : low + step].double(), size, dim=0)
            total += spectra.abs().square_().sum(1)
        sums = torch.fft.irfft(total, size)[:frames] / bins
        return sums / torch.arange(frames, 0, -1, device=sums.device)


class RepetSim(_MedianMask):
    """REPET-SIM: for each frame, the median of the frames that are most like it and some time apart from one another.

    Frames are compared by the cosine of their magnitudes, averaged over channels. The most similar frame is taken, then
    the most similar one that is far enough from it and from the frame itself, and so on. The time grows with the square
    of the song's length.

    Args:
        sample_rate, channels: As for `Separator`.
        window_samples, hop_samples: Of the STFT; None for nussl's at this rate.
        high_pass_hz: What is below is accompaniment.
        apart_seconds: The least distance between two similar frames.
        most_frames: How many similar frames, the frame itself among them.
    """

    def __init__(
        self,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int | None = None,
        hop_samples: int | None = None,
        high_pass_hz: float = 100.0,
        apart_seconds: float = 1.0,
        most_frames: int = 100,
    ) -> None:
        super().__init__(sample_rate, channels, window_samples, hop_samples, high_pass_hz)
        if not 0 <= apart_seconds < math.inf:
            raise ValueError(f"apart_seconds must be at least 0, not {apart_seconds}")
        if most_frames < 2:
            raise ValueError(f"most_frames must be at least 2, not {most_frames}")
        self.apart_seconds, self.most_frames = apart_seconds, most_frames

    def look(self, song: Tensor) -> tuple[Tensor, Tensor] | None:
        directions = self.magnitudes(song[0])
        for waveform in song[1:]:
            directions += self.magnitudes(waveform)
        directions /= directions.norm(dim=1, keepdim=True).clamp_min_(1e-30)
        frames = len(directions)
        apart = min(self.apart_seconds * self.sample_rate / self.stft.hop_samples, frames)
        found = [
            _peaks(directions[start : start + step] @ directions.T, start, apart, self.most_frames - 1)
            for step in [max(1, BLOCK // frames)]
            for start in range(0, frames, step)
        ]
        rows, counts = zip(*found, strict=True)
        return torch.cat(rows), torch.cat(counts)


def _peaks(similarity: Tensor, first: int, apart: float, most: int) -> tuple[Tensor, Tensor]:
    """The columns of the highest values of each row, one after the other, that are apart from those before.

    Args:
        similarity: (R, N); the lowest value of a row is no peak.
        first: Row r is that of the frame `first + r`, which is taken first and not among the results.
        apart: A distance in columns.
        most: How many.

    Returns:
        Columns (R, most), and how many of them count, (R,).
    """
    count, frames = similarity.shape
    width = 64  # the highest value is looked for among the highest ones of blocks
    left, right = math.ceil(apart), math.floor(apart)  # as nussl truncates them (core/utils.py)
    heights = nn.functional.pad(similarity - similarity.amin(1, keepdim=True), (0, -frames % width))
    blocks = heights.unflatten(1, (-1, width))  # (R, B, width)
    tops = blocks.amax(2)
    around = torch.arange(-left, right + 1, device=heights.device)
    touched = torch.arange((left + right) // width + 2, device=heights.device)
    every = torch.arange(count, device=heights.device)
    columns = torch.zeros(count, most, dtype=torch.int32, device=heights.device)
    counts = torch.zeros(count, dtype=torch.int64, device=heights.device)
    at = first + every
    for i in range(most + 1):
        if i > 0:
            highest, block = tops.max(1)
            at = block * width + blocks[every, block].argmax(1)
            columns[:, i - 1] = at
            counts += highest > 0
            if not (highest > 0).any():
                break
        heights.scatter_(1, (at[:, None] + around).clamp_(0, frames - 1), 0)
        near = ((at - left).clamp_min_(0)[:, None] // width + touched).clamp_max_(tops.shape[1] - 1)
        tops.scatter_(1, near, blocks[every[:, None], near].amax(2))
    return columns, counts


class FT2D(_Repetition):
    """Peaks of the 2-D Fourier transform of the magnitudes are what repeats; all else is voice.

    A value is a peak as far as it is the highest of its neighborhood and above the mean of that, in standard deviations
    ("local_std" in nussl: a later variant of the paper's threshold, from Seetharaman's thesis).

    Args:
        sample_rate, channels: As for `Separator`.
        window_samples, hop_samples: Of the STFT; None for nussl's at this rate.
        high_pass_hz: What is below is accompaniment.
        neighborhood: Of a value, along the axis of the frames, itself included.
    """

    def __init__(
        self,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int | None = None,
        hop_samples: int | None = None,
        high_pass_hz: float = 100.0,
        neighborhood: int = 25,
    ) -> None:
        super().__init__(sample_rate, channels, window_samples, hop_samples, high_pass_hz)
        if neighborhood < 2:
            raise ValueError(f"neighborhood must be at least 2, not {neighborhood}")
        self.neighborhood = neighborhood

    def mask(self, magnitudes: Tensor, found: tuple[Tensor, Tensor] | None) -> Tensor:
        transform = torch.fft.fft2(magnitudes)
        transform *= self.peaks(transform)
        repeating = torch.fft.ifft2(transform).abs()
        del transform
        heard = magnitudes.add_(SMALL)
        mask = torch.minimum(repeating, heard).div_(heard)
        return mask.div_(mask.max() + SMALL)

    def peaks(self, transform: Tensor) -> Tensor:
        """How much each value of a transform (N, F) is a peak, 0 to 1."""
        heights = torch.fft.fftshift(transform.abs()).cpu().numpy()  # (N, F)
        heights /= heights.max() + np.float32(SMALL)
        peaks = np.empty_like(heights)
        step = max(1, BLOCK // (16 * len(heights)))
        for low in range(0, heights.shape[1], step):
            peaks[:, low : low + step] = self._peaks(heights[:, low : low + step].T).T
        peaks /= peaks.max() + np.float32(SMALL)
        # As nussl does it: its third argument of np.maximum, the other axis flipped, is where the result goes.
        peaks = np.maximum(peaks, peaks[::-1])
        return torch.fft.ifftshift(torch.from_numpy(peaks)).to(transform.device)

    def _peaks(self, heights: np.ndarray) -> np.ndarray:
        """Of some frequencies, (f, N), in double precision: most values are millionths of the highest."""
        heights = heights.astype(np.float64)
        highest = ndimage.maximum_filter1d(heights, self.neighborhood)
        mean = ndimage.uniform_filter1d(heights, self.neighborhood)
        spread = ndimage.uniform_filter1d(heights**2, self.neighborhood) - mean**2
        deviation = np.sqrt(np.maximum(spread, 0)) + SMALL
        return np.where(heights == highest, (highest - mean) / deviation, 0)
