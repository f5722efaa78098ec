"""TasNet: Luo & Mesgarani, "TasNet: time-domain audio separation network for real-time, single-channel speech
separation", ICASSP 2018 (arXiv:1711.00541).

Frames of the waveform are encoded by a gated convolution, ReLU times sigmoid. The features are normalized, four layers
of LSTM (causal) or BLSTM and a linear layer make a mask per target, and a transposed convolution is the way back.

The text of the paper was not read beyond its first page. What the options offer is read in public versions:

    kaituoxu/TasNet b7a2268, src/tasnet.py     frames that do not overlap, each scaled to unit norm and back
                                               (`unit_norm`), layer normalization per frame, softmax over the targets
    paxbun/TasNet 997af93, model.py            the output of the second LSTM layer is added to that of the fourth
                                               (`skip`); kaituoxu's lists such a connection as not done
    asteroid 0.7.0, LSTMTasNet                 frames that overlap by half, no unit norm, normalization over all
                                               frames (`global`) or those until now (`cumulative`), sigmoid, no skip

The defaults are the first two together; `tasnet.yaml` says how the numbers of asteroid are set. Differences: the bank
reads all audio channels and writes as many; `skip` adds to the output of every second layer that of two layers before
it, for any number of layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, FilterBankSeparator

NORMS = ("frame", "global", "cumulative")
MASKS = ("softmax", "sigmoid")


class TasNet(FilterBankSeparator):
    """LSTM masks on a gated, learned filter bank (Luo & Mesgarani 2018); letters in brackets are the paper's.

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz; 8000 in the paper.
        channels: Audio channels; 1 in the paper.
        filters: Filters of the bank [N].
        kernel_samples: Their length [L].
        stride_samples: Step from one frame to the next; the length in the paper, half of it in asteroid.
        unit_norm: Whether each frame is scaled to unit norm before it is encoded, and back after it is decoded; for
            frames that do not overlap.
        norm: Normalization of the features: of each `frame`, `global`, or `cumulative` over the frames until now.
        hidden: Units of a layer in each direction; 500 both ways, or 1000 causal.
        layers: LSTM layers.
        bidirectional: Whether they read both ways; if not, the model is causal, unless `norm` is `global`.
        skip: Whether every second layer adds the output of two layers before.
        dropout: Probability, between layers.
        mask: `softmax` over the targets, or `sigmoid`.
    """

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 8000,
        channels: int = 1,
        filters: int = 500,
        kernel_samples: int = 40,
        stride_samples: int = 40,
        unit_norm: bool = True,
        norm: str = "frame",
        hidden: int = 500,
        layers: int = 4,
        bidirectional: bool = True,
        skip: bool = True,
        dropout: float = 0.0,
        mask: str = "softmax",
    ) -> None:
        super().__init__(targets, sample_rate, channels, filters, kernel_samples, stride_samples)
        for option, value, known in (("norm", norm, NORMS), ("mask", mask, MASKS)):
            if value not in known:
                raise ValueError(f"{option} must be one of {', '.join(known)}, not '{value}'")
        if unit_norm and stride_samples != kernel_samples:
            raise ValueError(
                f"unit_norm is for frames that do not overlap: stride_samples must be {kernel_samples}, not "
                f"{stride_samples}"
            )
        if min(filters, hidden, layers) < 1 or not 0 <= dropout < 1:
            raise ValueError(
                "filters, hidden and layers must be at least 1 and dropout from 0 to below 1, not "
                f"{filters}, {hidden}, {layers} and {dropout}"
            )
        self.unit_norm = unit_norm
        self.skip = skip
        self.softmax = mask == "softmax"
        self.gate = nn.Conv1d(channels, filters, kernel_samples, stride_samples, bias=False)
        self.norm = FeatureNorm(filters, norm)
        width = hidden * (2 if bidirectional else 1)
        # Two layers at a time, so that what is added lies between calls: fused, they take no longer than all at once.
        self.lstms = nn.ModuleList(
            nn.LSTM(
                width if start else filters,
                hidden,
                min(2, layers - start),
                dropout=dropout if layers - start > 1 else 0.0,
                bidirectional=bidirectional,
                batch_first=True,
            )
            for start in range(0, layers, 2)
        )
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(self.targets) * filters)

    def encode(self, mixture: Tensor) -> Tensor:
        return self.encoder(mixture).relu() * self.gate(mixture).sigmoid()

    def mask(self, features: Tensor) -> Tensor:
        x = self.norm(features).transpose(1, 2)  # (B, frames, filters)
        for i, lstm in enumerate(self.lstms):
            y, _ = lstm(self.dropout(x) if i else x)
            x = x + y if i and self.skip else y
        scores = self.linear(x).transpose(1, 2).unflatten(1, (-1, features.shape[1]))  # (B, S, filters, frames)
        return scores.softmax(1) if self.softmax else scores.sigmoid()

    def forward(self, mixture: Tensor) -> Tensor:
        if not self.unit_norm:
            return super().forward(mixture)
        time = mixture.shape[-1]
        padded = nn.functional.pad(mixture, (0, -time % self.kernel_samples))
        frames = padded.unflatten(-1, (-1, self.kernel_samples))  # (B, C, frames, kernel)
        norms = frames.square().sum((1, 3), keepdim=True).sqrt()
        estimates = super().forward((frames / (norms + 1e-8)).flatten(2)).unflatten(-1, frames.shape[2:])
        return (estimates * norms.unsqueeze(1)).flatten(3)[..., :time]


class FeatureNorm(nn.Module):
    """Layer normalization of features (B, filters, frames): per frame, over all frames, or over those until now."""

    def __init__(self, filters: int, over: str) -> None:
        super().__init__()
        self.over = over
        self.weight = nn.Parameter(torch.ones(filters))
        self.bias = nn.Parameter(torch.zeros(filters))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if self.over == "global":
            return nn.functional.group_norm(x, 1, self.weight, self.bias, 1e-8)
        if self.over == "frame":
            return nn.functional.layer_norm(x.transpose(1, 2), x.shape[1:2], self.weight, self.bias).transpose(1, 2)
        count = torch.arange(1, x.shape[-1] + 1, device=x.device)
        mean, power = (each.mean(1, keepdim=True).cumsum(-1) / count for each in (x, x.square()))
        variance = (power - mean.square()).clamp_min(0)
        return (x - mean) * (variance + 1e-8).rsqrt() * self.weight[:, None] + self.bias[:, None]
