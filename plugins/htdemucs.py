"""Hybrid Transformer Demucs: Rouard, Massa, Défossez, "Hybrid transformers for music source separation", 2022,
arXiv:2211.08553.

As in the authors' package 4.x (facebookresearch/demucs, demucs/htdemucs.py and transformer.py): the two branches of
Hybrid Demucs, of four layers each, stay apart; between them, a transformer whose layers attend in turn to their own
branch and to the other. The defaults are those of the released models of four stems (955717e8, and the four of the bag
htdemucs_ft), whose state dicts load as they are: `msbench.load("htdemucs").load_state_dict(...)`.

Differences: sparse attention and positions other than sinusoids are not here, as the runs of those models leave them
off (demucs/grids/mmi.py). Normalization and loss differ as in `hdemucs`. A bag of models has to be loaded one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from msbench import HybridDemucs, HybridShape, LayerScale

LONGEST_PERIOD = 10000.0  # of the sinusoids that tell positions
FIRST_SCALE = 1e-4  # of the transformer's residuals


class HTDemucs(HybridDemucs):
    """Hybrid Demucs with a cross-domain transformer in its middle (Rouard et al. 2022).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        filters: Channels of the first layer, doubled by each further one.
        depth: Number of layers down.
        window_samples: Of the STFT.
        compress: Residual branches have as many channels as their layer, divided by this.
        branches_up: Whether layers up have residual branches too.
        transformer_channels: Of the transformer, between 1x1 convolutions; those of the last layer where it is null.
        transformer_layers: Self-attention and cross-attention in turn; the first and the last are the former.
        heads: Of each attention.
        dropout: Probability in the transformer.
        chunk_seconds: Length of all chunks of a separation: the network was trained on these alone. None for any.
        rescale: Standard deviation that initial weights are brought half way to; 0 leaves them.
        normalize: Whether the mean of the mixture's channels is brought to zero mean and unit deviation, and estimates
            back. `song`: by a separation, for the whole song, as by demucs's command line, and each chunk in training.
    """

    def __init__(
        self,
        targets: Sequence[str] = ("drums", "bass", "other", "vocals"),
        sample_rate: int = 44100,
        channels: int = 2,
        filters: int = 48,
        depth: int = 4,
        window_samples: int = 4096,
        compress: int = 8,
        branches_up: bool = True,
        transformer_channels: int | None = 512,
        transformer_layers: int = 5,
        heads: int = 8,
        dropout: float = 0.0,
        chunk_seconds: float | None = 7.8,
        rescale: float = 0.1,
        normalize: bool | Literal["song"] = True,
    ) -> None:
        shape = HybridShape(filters, depth, window_samples, compress, depth, branches_up)
        super().__init__(targets, sample_rate, channels, shape, rescale, normalize)
        if any(layer.meets for layer, _ in self.layers):
            raise ValueError(
                f"a depth of {depth} is too large for a window_samples of {window_samples}: the branches meet"
            )
        width = filters * 2 ** (depth - 1)
        inside = transformer_channels or width
        if transformer_layers < 1:
            raise ValueError(f"transformer_layers must be at least 1, not {transformer_layers}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, not {dropout}")
        if chunk_seconds is not None and chunk_seconds * sample_rate < self.hop_samples:
            raise ValueError(f"chunk_seconds must be a hop of {self.hop_samples} samples or more, not {chunk_seconds}")
        if heads < 1 or inside % 4 or inside % heads:
            raise ValueError(f"the transformer's {inside} channels must be a multiple of 4 and of its heads, {heads}")
        self.resized = transformer_channels is not None
        if self.resized:
            self.channel_upsampler, self.channel_upsampler_t = nn.Conv1d(width, inside, 1), nn.Conv1d(width, inside, 1)
            self.channel_downsampler, self.channel_downsampler_t = (nn.Conv1d(inside, width, 1) for _ in range(2))
        self.crosstransformer = CrossTransformer(inside, transformer_layers, heads, dropout)
        if chunk_seconds is not None:
            self.chunk_samples = round(chunk_seconds * sample_rate)

    def bottleneck(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        shape = x.shape[2:]
        if self.resized:
            x = self.channel_upsampler(x.flatten(2)).unflatten(2, shape)
            xt = self.channel_upsampler_t(xt)
        x, xt = self.crosstransformer(x, xt)
        if self.resized:
            x = self.channel_downsampler(x.flatten(2)).unflatten(2, shape)
            xt = self.channel_downsampler_t(xt)
        return x, xt


class CrossTransformer(nn.Module):
    """A stack of layers for each branch; every second one attends to the other branch, the rest to their own."""

    def __init__(self, channels: int, count: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_in, self.norm_in_t = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.layers, self.layers_t = (
            nn.ModuleList(TransformerLayer(channels, heads, dropout, cross=i % 2 == 1) for i in range(count))
            for _ in range(2)
        )

    def forward(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, F, N) and (B, C, T) to the same."""
        channels, frequencies, frames = x.shape[1:]
        places = positions_2d(channels, frequencies, frames, x.device)
        x = self.norm_in(x.permute(0, 3, 2, 1).flatten(1, 2)) + places.permute(2, 1, 0).flatten(0, 1)  # (B, N F, C)
        xt = self.norm_in_t(xt.transpose(1, 2)) + positions(channels, xt.shape[-1], x.device)  # (B, T, C)
        for layer, layer_t in zip(self.layers, self.layers_t, strict=True):
            x, xt = layer(x, xt), layer_t(xt, x)
        return x.unflatten(1, (frames, frequencies)).permute(0, 3, 2, 1), xt.transpose(1, 2)


class Attention(nn.MultiheadAttention):
    """torch's, always by `scaled_dot_product_attention`: in evaluation, torch's own way keeps the weights of all pairs,
    and takes 1.6 times as long for the 2,688 frames of a chunk on a CPU."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__(channels, heads, dropout, batch_first=True)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:  # type: ignore[override]
        """(B, T, C) attends to `other` (B, T', C)."""
        widths = [self.embed_dim, 2 * self.embed_dim]
        (weight, weights), (bias, biases) = self.in_proj_weight.split(widths), self.in_proj_bias.split(widths)
        keys, values = functional.linear(other, weights, biases).chunk(2, -1)
        queries, keys, values = (
            each.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for each in (functional.linear(x, weight, bias), keys, values)
        )
        dropout = self.dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
        return self.out_proj(attended.transpose(1, 2).flatten(2))


class TransformerLayer(nn.Module):
    """Attention and feed-forward network, normalized before each, with a layer scale, and normalized again behind."""

    def __init__(self, channels: int, heads: int, dropout: float, cross: bool) -> None:
        super().__init__()
        self.cross = cross
        attention = Attention(channels, heads, dropout)
        if cross:
            self.cross_attn, self.norm3 = attention, nn.LayerNorm(channels)
        else:
            self.self_attn = attention
        self.linear1, self.linear2 = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.norm_out = nn.GroupNorm(1, channels)
        self.gamma_1, self.gamma_2 = (LayerScale(channels, FIRST_SCALE, channels_last=True) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """(B, T, C) to the same; `other` (B, T', C) is of the other branch."""
        queries = self.norm1(x)
        if self.cross:
            keys = self.norm2(other)
            attended = self.cross_attn(queries, keys)
        else:
            attended = self.self_attn(queries, queries)
        x = x + self.gamma_1(self.dropout(attended))
        inner = functional.gelu(self.linear1((self.norm3 if self.cross else self.norm2)(x)))
        x = x + self.gamma_2(self.dropout(self.linear2(self.dropout(inner))))
        return self.norm_out(x.transpose(1, 2)).transpose(1, 2)


def positions(channels: int, time: int, device: torch.device) -> Tensor:
    """(T, C): cosines, then sines of as many periods, from one step to the longest."""
    half = channels // 2
    phases = torch.arange(time, device=device)[:, None] / LONGEST_PERIOD ** (
        torch.arange(half, device=device) / (half - 1)
    )
    return torch.cat([phases.cos(), phases.sin()], 1)


def positions_2d(channels: int, frequencies: int, frames: int, device: torch.device) -> Tensor:
    """(C, F, N): sines and cosines in turn, of the frame in half of the channels, of the frequency in the others."""
    half = channels // 2
    rates = torch.exp(torch.arange(0.0, half, 2, device=device) * -(math.log(LONGEST_PERIOD) / half))

    def waves(count: int) -> Tensor:  # (half, count)
        phases = rates[:, None] * torch.arange(0.0, count, device=device)
        return torch.stack([phases.sin(), phases.cos()], 1).flatten(0, 1)

    shape = (half, frequencies, frames)
    return torch.cat([waves(frames)[:, None].expand(shape), waves(frequencies)[:, :, None].expand(shape)])
