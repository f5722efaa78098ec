"""U-Net on magnitudes: Jansson, Humphrey, Montecchio, Bittner, Kumar, Weyde, "Singing voice separation with deep U-Net
convolutional networks", ISMIR 2017.

As in the paper: depth strided 5x5 convolutions, batch normalisation and leaky ReLU 0.2 down; as many transposed ones,
batch normalisation, ReLU and 50 % dropout in the first three up; skips by concatenation; a sigmoid mask on the
mixture's magnitude, whose phase is kept; L1 on magnitudes of patches of 128 frames.

Differences: the magnitudes are scaled by the window, not by each song's maximum (which a stream does not know);
several targets come out of one network as channels (the paper trains one network a target: `targets: [vocals]`);
depth below 6, no skips and direct magnitudes are the ablations that others studied.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from msbench import SpectrogramSeparator


class UNet(SpectrogramSeparator):
    """U-Net that masks magnitudes (Jansson et al. 2017).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz; 8192 in the paper.
        channels: Audio channels; 1 in the paper.
        window_samples, hop_samples: The STFT; 1024 and 768 in the paper.
        depth: Number of layers down, 3 to 6; 6 in the paper.
        filters: Channels of the first layer, doubled by each further one; 16 in the paper.
        dropout: In the first three layers up; 0.5 in the paper.
        skip: Whether layers down are concatenated to the layers up.
        output: `mask`, or `direct` for magnitudes that are not bound by the mixture's.
    """

    def __init__(
        self,
        targets: Sequence[str] = ("vocals",),
        sample_rate: int = 8192,
        channels: int = 1,
        window_samples: int = 1024,
        hop_samples: int = 768,
        depth: int = 6,
        filters: int = 16,
        dropout: float = 0.5,
        skip: bool = True,
        output: str = "mask",
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples)
        if not 3 <= depth <= 6:
            raise ValueError(f"depth must be from 3 to 6, not {depth}")
        if output not in ("mask", "direct"):
            raise ValueError(f"output must be 'mask' or 'direct', not '{output}'")
        self.depth = depth
        self.skip = skip
        self.direct = output == "direct"
        self.stride_samples = hop_samples * 2**depth
        widths = [channels, *(filters * 2**i for i in range(depth))]
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 5, 2, 2), nn.BatchNorm2d(b), nn.LeakyReLU(0.2))
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.up = nn.ModuleList()
        for i, (a, b) in enumerate(zip(widths[:1:-1], widths[-2:0:-1], strict=True)):
            layers = [_upsample(a if i == 0 or not skip else 2 * a, b), nn.BatchNorm2d(b), nn.ReLU()]
            self.up.append(nn.Sequential(*layers, *([nn.Dropout2d(dropout)] if i < 3 else [])))
        self.last = _upsample(2 * filters if skip else filters, channels * len(self.targets))

    def mask(self, spectrogram: Tensor) -> Tensor:
        batch, channels, bins, frames = spectrogram.shape
        stride = 2**self.depth
        # The Nyquist bin is left out, as in the paper: 512 of 513 halve evenly.
        x = nn.functional.pad(spectrogram[:, :, :-1], (0, -frames % stride, 0, -(bins - 1) % stride))
        skips: list[Tensor] = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        for i, layer in enumerate(self.up):
            x = layer(x if i == 0 or not self.skip else torch.cat([x, skips[-1 - i]], 1))
        x = self.last(torch.cat([x, skips[0]], 1) if self.skip else x)
        x = x[..., : bins - 1, :frames].unflatten(1, (len(self.targets), channels))
        x = nn.functional.pad(x.flatten(0, 1), (0, 0, 0, 1), mode="replicate").unflatten(0, (batch, -1))
        if self.direct:
            return x.relu() / spectrogram.unsqueeze(1).clamp_min(1e-8)
        return x.sigmoid()


def _upsample(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels_in, channels_out, 5, 2, 2, output_padding=1)
