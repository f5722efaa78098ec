"""SCNet: Tong, Zhu, Chen, Kang, Jiang, Li, Wu, Meng, "SCNet: sparse compression network for music source separation",
ICASSP 2024, arXiv:2401.13276.

As in the authors' code (starrytong/SCNet 5d95bf9, scnet/SCNet.py and separation.py). The complex spectrogram is cut
into three bands: the more a band holds, the less a step down compresses its frequencies (1, 4 and 16 times), and the
more convolution modules follow. Between the three steps down and up, dual-path layers: a BLSTM over frequencies and one
over frames. Every second of them reads the Fourier transform of its features over the frames. Each step up adds what
its step down has found. State dicts of that code load as they are: `msbench.load("scnet").load_state_dict(...)`;
SCNet-large is `filters: [64, 128, 256]`.

As there, the STFT has no window, and what the network reads has zero mean and unit deviation, to which its output is
brought back: `normalization: spectrogram`. The authors' code had none of it until d15e25a of September 2024; it brought
the waveform of each song there, outside the network, and still does. ZFTurbo's collection and the package msst 0.1.0
have the earlier network: `song` is that with `inference.normalize` of their YAML, and `none` is that without.

Differences: any number of channels; the authors' code takes a `dims[0]` that is twice the channels. The kernels of the
bands follow from the strides, as in all public configurations. The convolution that fuses a skip reads its input twice
there; here it reads the input once, with the sum of both weights, which is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from msbench import STFT, ComplexSpectrogramSeparator


class SCNet(ComplexSpectrogramSeparator):
    """Encoder and decoder that compress three bands each its own way, and dual-path BLSTMs (Tong et al. 2024).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT, whose window is rectangular.
        filters: Channels of each step down; [64, 128, 256] of SCNet-large.
        band_shares: Of the frequencies, for the low, the middle and the high band.
        band_strides: Each step down leaves one of as many frequencies of the band.
        depths: Convolution modules of each band.
        compress: Convolution modules have as many channels inside as outside, divided by this.
        kernel: Of the convolution modules, in frames.
        layers: Of the dual path, an even number.
        expand: A BLSTM has as many units in each direction as it reads features, times this.
        normalization: What is brought to zero mean and unit deviation, and the estimates back: the `spectrogram` of a
            chunk, the waveform of a whole `song` (of each chunk in training), or `none`.
        chunk_seconds: Length of all chunks of a separation, as the network reads Fourier transforms over the frames of
            a whole one; None for any.
        checkpointing: Whether training computes steps down and dual-path layers again on the way back, to hold less
            memory.
    """

    ends_silent = True

    def __init__(
        self,
        targets: Sequence[str] = ("drums", "bass", "other", "vocals"),
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 4096,
        hop_samples: int = 1024,
        filters: Sequence[int] = (32, 64, 128),
        band_shares: Sequence[float] = (0.175, 0.392, 0.433),
        band_strides: Sequence[int] = (1, 4, 16),
        depths: Sequence[int] = (3, 2, 1),
        compress: int = 4,
        kernel: int = 3,
        layers: int = 6,
        expand: int = 1,
        checkpointing: bool = False,
        normalization: str = "spectrogram",
        chunk_seconds: float | None = None,
    ) -> None:
        stft = STFT(window_samples, hop_samples, plain=True, window="rectangular", unitary=True)
        super().__init__(targets, sample_rate, channels, stft, frame_multiple=2, chunk_seconds=chunk_seconds)
        if normalization not in ("spectrogram", "song", "none"):
            raise ValueError(f"normalization must be one of spectrogram, song, none, not '{normalization}'")
        self.normalizes_spectrograms, self.normalizes_songs = normalization == "spectrogram", normalization == "song"
        if not len(band_shares) == len(band_strides) == len(depths) == 3 or min(band_strides) < 1 or min(depths) < 0:
            raise ValueError("band_shares, band_strides and depths must each have three numbers, strides at least 1")
        if min(band_shares) <= 0 or not math.isclose(sum(band_shares), 1, abs_tol=1e-3):
            raise ValueError(f"band_shares must be above 0 and sum to 1, not {list(band_shares)}")
        if not filters or compress < 1 or min(filters) < compress:
            raise ValueError(f"filters must be at least compress ({compress}), not {list(filters)}")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, not {kernel}")
        if layers < 0 or layers % 2 or expand < 1:
            raise ValueError(f"layers must be even and expand at least 1, not {layers} and {expand}")
        self.band_shares, self.checkpointing = list(band_shares), checkpointing
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        widths = [2 * channels, *filters]
        for i, (read, width) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            self.encoder.append(StepDown(read, width, band_shares, band_strides, depths, compress, kernel))
            up = BandsUp(width, read if i else read * len(self.targets), band_strides)
            self.decoder.insert(0, nn.ModuleList([Fusion(width), up]))
        self.separation_net = DualPath(widths[-1], layers, expand)

    def estimate(self, spectrogram: Tensor) -> Tensor:
        if not self.normalizes_spectrograms:
            return self._estimated(spectrogram)
        mean = spectrogram.mean((1, 2, 3), keepdim=True)
        deviation = spectrogram.std((1, 2, 3), keepdim=True)
        return self._estimated((spectrogram - mean) / (deviation + 1e-5)) * deviation[:, None] + mean[:, None]

    def _estimated(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, N) to (B, S, 2 C, F, N)."""
        skips: list[Tensor] = []
        sizes: list[list[int]] = []
        for down in self.encoder:
            sizes.append(band_sizes(x.shape[2], self.band_shares))
            x, skip = self.lean(down, x)
            skips.append(skip)
        for i, layer in enumerate(self.separation_net.dp_modules):
            x = as_frames(self.lean(layer, x)) if i % 2 else as_rates(self.lean(layer, x))
        for step in self.decoder:
            fusion, up = step.children()
            x = up(fusion(x + skips.pop()), sizes.pop())
        return x.unflatten(1, (len(self.targets), 2 * self.channels))


class StepDown(nn.Module):
    """Each band compressed and convolved over time by itself; then a convolution over all of them."""

    def __init__(
        self,
        channels_in: int,
        channels: int,
        shares: Sequence[float],
        strides: Sequence[int],
        depths: Sequence[int],
        compress: int,
        kernel: int,
    ) -> None:
        super().__init__()
        self.SDlayer = BandsDown(channels_in, channels, shares, strides)
        self.conv_modules = nn.ModuleList(ConvolutionModule(channels, depth, compress, kernel) for depth in depths)
        self.globalconv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, F, N) to (B, C', F', N), and the bands before the last convolution, of the same shape."""
        bands = [functional.gelu(module(band)) for module, band in zip(self.conv_modules, self.SDlayer(x), strict=True)]
        joined = torch.cat(bands, 2)
        return self.globalconv(joined), joined


class BandsDown(nn.Module):
    """A strided convolution over the frequencies of each band."""

    def __init__(self, channels_in: int, channels: int, shares: Sequence[float], strides: Sequence[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels_in, channels, (_kernel(s), 1), (s, 1)) for s in strides)
        self.shares, self.strides = shares, strides

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, F, N) to each band (B, C', F', N)."""
        bands = []
        parts = x.split(band_sizes(x.shape[2], self.shares), 2)
        for conv, band, stride in zip(self.convs, parts, self.strides, strict=True):
            missing = _kernel(stride) - 1 if stride == 1 else -band.shape[2] % stride
            bands.append(conv(functional.pad(band, (0, 0, missing // 2, missing - missing // 2))))
        return bands


class BandsUp(nn.Module):
    """The transposed convolution of each band, cut to the frequencies that it had before the step down."""

    def __init__(self, channels_in: int, channels: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.convtrs = nn.ModuleList(
            nn.ConvTranspose2d(channels_in, channels, (_kernel(stride), 1), (stride, 1)) for stride in strides
        )
        self.strides = strides

    def forward(self, x: Tensor, sizes: Sequence[int]) -> Tensor:
        """(B, C, F', N) to (B, C', F, N), F being the sum of `sizes`."""
        compressed = [-(-size // stride) for size, stride in zip(sizes, self.strides, strict=True)]
        bands = []
        for conv, band, size in zip(self.convtrs, x.split(compressed, 2), sizes, strict=True):
            whole = conv(band)
            bands.append(whole.narrow(2, (whole.shape[2] - size) // 2, size))
        return torch.cat(bands, 2)


class ConvolutionModule(nn.Module):
    """Residual layers over the frames of each frequency: gated and depthwise convolutions."""

    def __init__(self, channels: int, depth: int, compress: int, kernel: int) -> None:
        super().__init__()
        inner, padding = channels // compress, kernel // 2
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, channels),
                nn.Conv1d(channels, 2 * inner, kernel, padding=padding),
                nn.GLU(1),
                nn.Conv1d(inner, inner, kernel, padding=padding, groups=inner),
                nn.GroupNorm(1, inner),
                nn.SiLU(),
                nn.Conv1d(inner, channels, 1),
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) to the same."""
        frequencies = x.shape[2]
        x = x.transpose(1, 2).flatten(0, 1)  # (B F, C, N)
        for layer in self.layers:
            x = x + layer(x)
        return x.unflatten(0, (-1, frequencies)).transpose(1, 2)


class Fusion(nn.Module):
    """A gated convolution. Its weights read two copies of the input, which is one with the sum of their weights."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) to the same."""
        first, second = self.conv.weight.chunk(2, 1)
        return functional.glu(functional.conv2d(x, first + second, self.conv.bias, padding=1), 1)


class DualPath(nn.Module):
    """The dual-path layers; every second one has twice the features."""

    def __init__(self, channels: int, layers: int, expand: int) -> None:
        super().__init__()
        self.dp_modules = nn.ModuleList(DualPathLayer(channels * (1 + i % 2), expand) for i in range(layers))


class DualPathLayer(nn.Module):
    """A BLSTM over the frequencies of each frame, then one over the frames of each frequency, each with a residual."""

    def __init__(self, channels: int, expand: int) -> None:
        super().__init__()
        units = expand * channels
        self.lstm_layers = nn.ModuleList(
            nn.LSTM(channels, units, batch_first=True, bidirectional=True) for _ in range(2)
        )
        self.linear_layers = nn.ModuleList(nn.Linear(2 * units, channels) for _ in range(2))
        self.norm_layers = nn.ModuleList(nn.GroupNorm(1, channels) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) to the same."""
        for i, order in enumerate(((0, 3, 2, 1), (0, 2, 3, 1))):  # (B, N, F, C), then (B, F, N, C)
            rows = self.norm_layers[i](x).permute(order)
            read = self.linear_layers[i](self.lstm_layers[i](rows.flatten(0, 1))[0]).unflatten(0, rows.shape[:2])
            x = x + read.permute((0, 3, 2, 1) if i == 0 else (0, 3, 1, 2))
        return x


def band_sizes(frequencies: int, shares: Sequence[float]) -> list[int]:
    """The frequencies of the low, the middle and the high band, their ends rounded up."""
    low, middle = math.ceil(frequencies * shares[0]), math.ceil(frequencies * (shares[0] + shares[1]))
    return [low, middle - low, frequencies - middle]


def as_rates(x: Tensor) -> Tensor:
    """(B, C, F, N) to (B, 2 C, F, N / 2 + 1): the Fourier transform over frames, real parts first."""
    spectrum = torch.fft.rfft(x.float(), norm="ortho")
    return torch.cat([spectrum.real, spectrum.imag], 1)


def as_frames(x: Tensor) -> Tensor:
    """The inverse of `as_rates`, for an even number of frames."""
    return torch.fft.irfft(torch.complex(*x.float().chunk(2, 1)), norm="ortho")


def _kernel(stride: int) -> int:
    return 3 if stride == 1 else stride
