"""A spectrogram cut into bands: one vector of features per band, sequences over time and bands, and masks again.

Luo & Yu 2022 (arXiv:2209.15174), as the band-split models after it keep it. N is the number of frames, K of bands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from msbench.model.rotary_attention import RMSNorm


class BandSplit(nn.Module):
    """One linear layer per band, after its normalization: (B, N, sum of widths) to (B, N, K, C).

    Args:
        channels: C, of each band's features.
        widths: Values of each band, in their order.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = list(widths)
        self.to_features = nn.ModuleList(
            nn.Sequential(RMSNorm(width), nn.Linear(width, channels)) for width in self.widths
        )

    def forward(self, x: Tensor) -> Tensor:
        bands = x.split(self.widths, -1)
        return torch.stack([layer(band) for layer, band in zip(self.to_features, bands, strict=True)], -2)


class MaskEstimator(nn.Module):
    """One network per band, of linear layers with tanh in between and a gate: (B, N, K, C) to (B, N, sum of widths).

    Args:
        channels: C, of each band's features.
        widths: Values of each band, in their order.
        hidden: Units of each hidden layer.
        hidden_layers: Their number.
    """

    def __init__(self, channels: int, widths: Sequence[int], hidden: int, hidden_layers: int) -> None:
        super().__init__()
        self.to_freqs = nn.ModuleList()
        for width in widths:
            sizes = [channels, *[hidden] * hidden_layers, 2 * width]
            layers: list[nn.Module] = []
            for size, following in zip(sizes[:-1], sizes[1:], strict=True):
                layers += [nn.Linear(size, following), nn.Tanh()]
            self.to_freqs.append(nn.Sequential(nn.Sequential(*layers[:-1]), nn.GLU()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([layer(band) for layer, band in zip(self.to_freqs, x.unbind(-2), strict=True)], -1)


def dual_path(x: Tensor, over_time: Callable[[Tensor], Tensor], over_bands: Callable[[Tensor], Tensor]) -> Tensor:
    """Sequences along one axis, then along the other: (B, N, K, C) to the same.

    Args:
        x: Features of each frame and band.
        over_time: Takes sequences (B K, N, C), one per band.
        over_bands: Takes sequences (B N, K, C), one per frame.
    """
    batch, frames = x.shape[:2]
    x = over_time(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (batch, -1))  # (B, K, N, C)
    return over_bands(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (batch, frames))
