"""TFC-TDF U-Net v3 ("MDX23C"): Kim, Lee, Jung, "Sound demixing challenge 2023 music demixing track technical report:
TFC-TDF-UNet v3", 2023, arXiv:2306.09382.

As in the authors' code (kuielab/sdx23 2f21792, my_submission/src/tfc_tdf_v3.py), which ZFTurbo's collection and the
package msst 0.1.0 have as MDX23C: a U-Net over the complex spectrogram, whose frequencies are folded into four subbands
of channels each. Its blocks are time-frequency convolutions (TFC) around a bottleneck of linear layers over the
frequencies (TDF) with a residual connection. The way out multiplies the features by those of the first convolution, and
reads the mixture once more. One network estimates all targets. State dicts of that code load as they are:
`msbench.load("tfc_tdf").load_state_dict(...)`, with targets in the order of the weights (that of `instruments` in the
`config.yaml` beside them).

Differences: any length and any number of channels, where the authors' code takes stereo chunks of a whole number of
hops. Instance normalization alone, GELU alone, and a factor of 2 per scale, as in the configurations that are public.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from msbench import STFT, ComplexSpectrogramSeparator


class TFCTDF(ComplexSpectrogramSeparator):
    """U-Net of time-frequency convolutions and linear layers over frequencies (Kim, Lee & Jung 2023, MDX23C).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT.
        bins: Lowest frequency bins, which are read and estimated; the others are silent.
        subbands: The bins are cut into as many bands, which become channels.
        scales: Number of steps down, each to half of the frames and frequencies.
        filters: Channels of the first scale.
        growth: Further channels of each step down.
        blocks: Of each scale.
        bottleneck: The linear layers have as many units as their block has frequencies, divided by this.
        chunk_seconds: Length of all chunks of a separation, as the network normalizes over a whole one; 256 frames as
            published. None for any.
        checkpointing: Whether training computes each block again on the way back, to hold less memory.
    """

    def __init__(
        self,
        targets: Sequence[str] = ("vocals", "bass", "drums", "other"),
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 8192,
        hop_samples: int = 1024,
        bins: int = 4096,
        subbands: int = 4,
        scales: int = 5,
        filters: int = 128,
        growth: int = 128,
        blocks: int = 2,
        bottleneck: int = 4,
        chunk_seconds: float | None = 261120 / 44100,
        checkpointing: bool = False,
    ) -> None:
        if min(subbands, scales, filters, blocks, bottleneck) < 1 or growth < 0:
            raise ValueError("subbands, scales, filters, blocks and bottleneck must be at least 1, and growth 0")
        stft = STFT(window_samples, hop_samples, plain=True)
        super().__init__(targets, sample_rate, channels, stft, 2**scales, chunk_seconds)
        if not 1 <= bins <= stft.bins or bins % (subbands * 2**scales):
            raise ValueError(
                f"bins must be a multiple of {subbands * 2**scales} (subbands times 2 to the scales) up to "
                f"{stft.bins}, not {bins}"
            )
        if bins // (subbands * 2**scales) < bottleneck:
            raise ValueError(
                f"a bottleneck of {bottleneck} leaves no unit for the {bins // (subbands * 2**scales)} frequencies of "
                "the last scale"
            )
        self.bins, self.subbands, self.checkpointing = bins, subbands, checkpointing
        width, frequencies, folded = filters, bins // subbands, 2 * channels * subbands
        self.first_conv = _plain(folded, width, 1)
        self.encoder_blocks = nn.ModuleList()
        for _ in range(scales):
            down = nn.Module()
            down.tfc_tdf = Blocks(width, width, blocks, frequencies, bottleneck)
            down.downscale = Scaling(nn.Conv2d, width, width + growth)
            self.encoder_blocks.append(down)
            width, frequencies = width + growth, frequencies // 2
        self.bottleneck_block = Blocks(width, width, blocks, frequencies, bottleneck)
        self.decoder_blocks = nn.ModuleList()
        for _ in range(scales):
            up = nn.Module()
            up.upscale = Scaling(nn.ConvTranspose2d, width, width - growth)
            width, frequencies = width - growth, 2 * frequencies
            up.tfc_tdf = Blocks(2 * width, width, blocks, frequencies, bottleneck)
            self.decoder_blocks.append(up)
        self.final_conv = nn.Sequential(
            _plain(width + folded, width, 1), nn.GELU(), _plain(width, len(self.targets) * folded, 1)
        )

    def estimate(self, spectrogram: Tensor) -> Tensor:
        mixture = spectrogram[:, :, : self.bins].unflatten(2, (self.subbands, -1)).flatten(1, 2)  # (B, 2 C K, F / K, N)
        first = self.first_conv(mixture)
        x = first.transpose(2, 3).contiguous()  # (B, filters, N, F / K): the linear layers are over the last dimension
        skips: list[Tensor] = []
        for down in self.encoder_blocks:
            blocks, step = down.children()
            x = self.lean(blocks, x)
            skips.append(x)
            x = step(x)
        x = self.lean(self.bottleneck_block, x)
        for up in self.decoder_blocks:
            step, blocks = up.children()
            x = self.lean(blocks, torch.cat([step(x), skips.pop()], 1))
        x = self.final_conv(torch.cat([mixture, x.transpose(2, 3) * first], 1))
        x = x.unflatten(1, (len(self.targets), 2 * self.channels, self.subbands))
        return x.flatten(3, 4)  # (B, S, 2 C, F, N)


class Blocks(nn.Module):
    """TFC-TDF blocks in a row: convolutions with the linear layers between them, and a 1x1 convolution around."""

    def __init__(self, channels_in: int, channels: int, count: int, frequencies: int, bottleneck: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for i in range(count):
            block, read, units = nn.Module(), channels if i else channels_in, frequencies // bottleneck
            block.tfc1 = nn.Sequential(*_normalized(read), _plain(read, channels, 3))
            block.tdf = nn.Sequential(
                *_normalized(channels),
                nn.Linear(frequencies, units, bias=False),
                *_normalized(channels),
                nn.Linear(units, frequencies, bias=False),
            )
            block.tfc2 = nn.Sequential(*_normalized(channels), _plain(channels, channels, 3))
            block.shortcut = _plain(read, channels, 1)
            self.blocks.append(block)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels in, N, F) to (B, channels, N, F)."""
        for block in self.blocks:
            tfc1, tdf, tfc2, shortcut = block.children()
            inner = tfc1(x)
            x = tfc2(inner + tdf(inner)) + shortcut(x)
        return x


class Scaling(nn.Module):
    """Half of the frames and frequencies by a strided convolution, or twice as many by a transposed one."""

    def __init__(self, convolution: type[nn.Conv2d | nn.ConvTranspose2d], channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *_normalized(channels_in), convolution(channels_in, channels_out, 2, stride=2, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def _normalized(channels: int) -> tuple[nn.Module, nn.Module]:
    """Instance normalization, as groups of one channel each, which torch computes faster; and GELU."""
    return nn.GroupNorm(channels, channels), nn.GELU()


def _plain(channels_in: int, channels_out: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
