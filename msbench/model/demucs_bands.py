"""Layers of Hybrid Demucs whose frequencies are split into bands, each with weights of its own.

As `MultiWrap` of the authors' package (facebookresearch/demucs, demucs/hdemucs.py) does it for some of the networks
that won the MDX challenge of 2021. With the same weights in each band, a layer gives what it gives without bands, as no
band has edges of its own: convolutions down share their input there, and those up add their outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from msbench.model.demucs_layers import HybridLayer, LayerDown, LayerUp


class BandsDown(nn.Module):
    """`LayerDown` for each band."""

    def __init__(self, layer: HybridLayer, compress: int) -> None:
        super().__init__()
        self.layer = layer
        self.layers = _copies(lambda: LayerDown(replace(layer, padding=0), compress), layer)

    def forward(self, x: Tensor, injected: Tensor | None = None) -> Tensor:
        """(B, C, F, N) to (B, C', F / stride, N)."""
        kernel, stride, padding = self.layer.kernel, self.layer.stride, self.layer.padding
        padded, first, found = functional.pad(x, (0, 0, padding, padding)), 0, []
        for band, end in _bands(self, x.shape[2]):
            last = x.shape[2] // stride
            if end < x.shape[2]:
                last = first + round((end + padding - first * stride - kernel) / stride + 1)
            found.append(band(padded[:, :, first * stride : (last - 1) * stride + kernel]))
            first = last
        return torch.cat(found, 2)


class BandsUp(nn.Module):
    """`LayerUp` for each band."""

    def __init__(self, layer: HybridLayer, compress: int, branches: bool) -> None:
        super().__init__()
        self.layer = layer
        self.layers = _copies(lambda: LayerUp(replace(layer, padding=0, outermost=True), compress, branches), layer)

    def forward(self, x: Tensor, skip: Tensor, time: int) -> tuple[Tensor, Tensor]:
        """(B, C, F, N) to (B, C', F * stride, N), and the input: nothing leaves the branch here."""
        shared, padding, first = self.layer.kernel - self.layer.stride, self.layer.padding, 0
        found: list[Tensor] = []
        for band, end in _bands(self, x.shape[2]):
            y, _ = band(x[:, :, first:end], skip[:, :, first:end], time)
            if found:
                found[-1][:, :, -shared:] += y[:, :, :shared] - band.conv_tr.bias[:, None, None]  # has it already
                y = y[:, :, shared:]
            found.append(y)
            first = end
        y = torch.cat(found, 2)[:, :, padding:-padding]
        return (y if self.layer.outermost else functional.gelu(y)), x


def _copies(build: Callable[[], nn.Module], layer: HybridLayer) -> nn.ModuleList:
    return nn.ModuleList(build() for _ in range(len(layer.splits) + 1))


def _bands(wrapped: BandsDown | BandsUp, frequencies: int) -> Iterator[tuple[Any, int]]:
    """Each band's layer, and the frequency behind it."""
    ends = [round(frequencies * share) for share in wrapped.layer.splits]
    return zip(wrapped.layers, [*ends, frequencies], strict=True)
