"""Dual-path RNN: Luo, Chen & Yoshioka, "Dual-path RNN: efficient long sequence modeling for time-domain
single-channel speech separation", ICASSP 2020 (arXiv:1910.06379).

A learned filter bank is masked as in Conv-TasNet. The frames are cut into chunks that overlap by half. Each of
`repeats` blocks has a BLSTM within each chunk and one across the chunks, each followed by a linear layer, global layer
normalization and a residual connection. The overlapping chunks are added, and a gated layer makes the masks.

Of the paper's text, the abstract alone was read; the network is asteroid 0.7.0's `DPRNNTasNet`, whose outputs it gives.
A "chunk" is the paper's word for some frames of the bank here, and not the audio that msbench separates at a time.
Difference: the bank reads all audio channels and writes as many.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, FilterBankSeparator

MASKS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}


class DPRNN(FilterBankSeparator):
    """Dual-path BLSTM masks on a learned filter bank (Luo et al. 2020); letters in brackets are the paper's.

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz; 8000 in the paper.
        channels: Audio channels; 1 in the paper.
        filters: Filters of the bank.
        kernel_samples: Their length; the stride is half of it.
        bottleneck: Channels between blocks.
        hidden: Units of each LSTM in each direction.
        chunk_frames: Frames of a chunk [K]; the hop is half of it.
        repeats: Number of blocks.
        mask: `sigmoid` or `relu`.
    """

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 8000,
        channels: int = 1,
        filters: int = 64,
        kernel_samples: int = 16,
        bottleneck: int = 128,
        hidden: int = 128,
        chunk_frames: int = 100,
        repeats: int = 6,
        mask: str = "sigmoid",
    ) -> None:
        for option, value in (("kernel_samples", kernel_samples), ("chunk_frames", chunk_frames)):
            if value < 2 or value % 2:
                raise ValueError(f"{option} must be even and at least 2, not {value}")
        if mask not in MASKS:
            raise ValueError(f"mask must be one of {', '.join(MASKS)}, not '{mask}'")
        if min(filters, bottleneck, hidden, repeats) < 1:
            raise ValueError(
                "filters, bottleneck, hidden and repeats must be at least 1, not "
                f"{filters}, {bottleneck}, {hidden} and {repeats}"
            )
        super().__init__(targets, sample_rate, channels, filters, kernel_samples, kernel_samples // 2)
        self.chunk_frames = chunk_frames
        self.norm = nn.GroupNorm(1, filters, eps=1e-8)
        self.bottleneck = nn.Conv1d(filters, bottleneck, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(Path(bottleneck, hidden), Path(bottleneck, hidden)) for _ in range(repeats)
        )
        self.activation = nn.PReLU()
        self.split = nn.Linear(bottleneck, len(self.targets) * bottleneck)
        self.output = nn.Conv1d(bottleneck, bottleneck, 1)
        self.gate = nn.Conv1d(bottleneck, bottleneck, 1)
        self.last = nn.Sequential(nn.Conv1d(bottleneck, filters, 1, bias=False), MASKS[mask]())

    def mask(self, features: Tensor) -> Tensor:
        x = self.chunks(self.bottleneck(self.norm(features)).transpose(1, 2))
        for block in self.blocks:
            within, across = block.children()
            x = across(within(x).transpose(1, 2)).transpose(1, 2)
        x = self.split(self.activation(x)).unflatten(-1, (len(self.targets), -1))  # (B, chunks, K, S, channels)
        x = self.joined(x.movedim(3, 1).flatten(0, 1), features.shape[-1]).transpose(1, 2)
        masks = self.last(self.output(x).tanh() * self.gate(x).sigmoid())  # (B S, filters, frames)
        return masks.unflatten(0, (len(features), -1))

    def chunks(self, frames: Tensor) -> Tensor:
        """(B, frames, channels) to chunks (B, chunks, K, channels), zeros around: each frame lies in two of them."""
        size = self.chunk_frames
        padded = nn.functional.pad(frames, (0, 0, size, size))
        return padded.unfold(1, size, size // 2).transpose(2, 3)

    def joined(self, chunks: Tensor, count: int) -> Tensor:
        """(B, chunks, K, channels) added up where they overlap, to (B, count, channels): the transpose of `chunks`."""
        first, second = chunks.chunk(2, 2)  # halves: each frame is in one of each
        halves = nn.functional.pad(first, (0, 0, 0, 0, 0, 1)) + nn.functional.pad(second, (0, 0, 0, 0, 1, 0))
        return halves.flatten(1, 2)[:, self.chunk_frames : self.chunk_frames + count]


class Path(nn.Module):
    """A BLSTM along one of the two paths, a linear layer, normalization over all, and the residual connection."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(2 * hidden, channels)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, sequences, steps, channels) to the same."""
        y, _ = self.lstm(x.flatten(0, 1))
        y = self.linear(y).unflatten(0, x.shape[:2])
        return x + nn.functional.layer_norm(y, y.shape[1:], eps=1e-8) * self.weight + self.bias
