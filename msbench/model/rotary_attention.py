"""Transformer layers with rotary positions, gated heads and RMS norms, as the RoFormers of separation have them.

Su et al. 2021 (arXiv:2104.09864) for the positions; layers and names of weights as in lucidrains/BS-RoFormer, which
ZFTurbo/Music-Source-Separation-Training (msst 0.1.0) and its public checkpoints keep.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LONGEST_PERIOD = 10000.0  # of the rotations that tell positions
SMALLEST_NORM = 1e-12  # of what is normalized: silence stays silence


class RMSNorm(nn.Module):
    """Vectors of unit mean square, times a learned gain: (..., C) to (..., C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.eps = SMALLEST_NORM**2 / channels

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.gamma.shape, self.gamma.to(x.dtype), self.eps)


class RotaryEmbedding(nn.Module):
    """Turns each pair of channels by an angle that grows with the position, at another rate for each pair."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        rates = LONGEST_PERIOD ** -(torch.arange(0, channels, 2) / channels)
        self.freqs = nn.Parameter(rates, requires_grad=False)  # no buffer: public checkpoints count it as a parameter

    def forward(self, x: Tensor) -> Tensor:
        """(..., N, C) to the same, for positions 0 to N - 1."""
        angles = torch.arange(x.shape[-2], device=x.device)[:, None] * self.freqs.float()
        pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
        turned = pairs * torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(turned).flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Self-attention whose heads are each multiplied by a gate between 0 and 1: (B, N, C) to the same."""

    def __init__(self, channels: int, heads: int, head_channels: int, dropout: float, rotary: RotaryEmbedding) -> None:
        super().__init__()
        inner = heads * head_channels
        self.heads, self.dropout = heads, dropout
        self.rotary_embed = rotary
        self.norm = RMSNorm(channels)
        self.to_qkv = nn.Linear(channels, 3 * inner, bias=False)
        self.to_gates = nn.Linear(channels, heads)
        self.to_out = nn.Sequential(nn.Linear(inner, channels, bias=False), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        both, values = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).split([2, 1])
        queries, keys = self.rotary_embed(both)  # each (B, heads, N, head_channels)
        dropout = self.dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(queries, keys, values[0], dropout_p=dropout)
        gated = attended.transpose(1, 2) * self.to_gates(x).sigmoid().unsqueeze(-1)
        return self.to_out(gated.flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with a GELU in between, wider inside by `expansion`."""

    def __init__(self, channels: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            RMSNorm(channels),
            nn.Linear(channels, expansion * channels),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * channels, channels),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class RotaryTransformer(nn.Module):
    """Layers of attention and feed-forward network, each added to its input: (B, N, C) to the same.

    Args:
        channels: C.
        layers: Of attention and feed-forward network.
        heads: Of each attention, with as many channels as the positions turn.
        rotary: Positions, which several transformers may share.
        expansion: Feed-forward networks have as many channels inside as outside, times this.
        dropout: Probability in attention and feed-forward networks.
        norm: Whether the output is normalized.
    """

    def __init__(
        self,
        channels: int,
        layers: int,
        heads: int,
        rotary: RotaryEmbedding,
        expansion: int = 4,
        dropout: float = 0.0,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    Attention(channels, heads, 2 * len(rotary.freqs), dropout, rotary),
                    FeedForward(channels, expansion, dropout),
                ]
            )
            for _ in range(layers)
        )
        self.norm = RMSNorm(channels) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            attention, feed_forward = layer.children()
            x = x + attention(x)
            x = x + feed_forward(x)
        return self.norm(x)
