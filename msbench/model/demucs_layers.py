"""Layers of Demucs from version 3 on: Défossez, "Hybrid spectrogram and waveform source separation", 2021.

Weights have the names of the authors' package (facebookresearch/demucs), so that those it has published can be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_GROUPS = 4  # of the group normalizations of layers, as in the authors' conf/config.yaml
FIRST_SCALE = 1e-3  # of the residual branches, likewise (`dconv_init`)
LSTM_STEPS = 200  # a BLSTM is given no more frames at a time


def rescale_convolutions(module: nn.Module, reference: float) -> None:
    """Bring the standard deviation of initial weights half way, in dB, to a reference (Défossez et al. 2019, 4.1.2)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
            scale = (layer.weight.std().detach() / reference).sqrt()
            for parameter in layer.parameters():
                parameter.data /= scale


class LayerScale(nn.Module):
    """A factor for each channel, small at first, for the output of a residual branch (Touvron et al. 2021).

    Args:
        channels: Of the signals, (B, channels, T), or (B, T, channels) with `channels_last`.
        first: Value of each factor before training.
        channels_last: Whether channels are the last dimension.
    """

    def __init__(self, channels: int, first: float, channels_last: bool = False) -> None:
        super().__init__()
        self.channels_last = channels_last
        self.scale = nn.Parameter(torch.full((channels,), first))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.scale if self.channels_last else self.scale[:, None])


class FrequencyEmbedding(nn.Module):
    """A learned vector for each frequency, which changes slowly along the axis before training.

    Stored values are ten times smaller than those it gives, which makes it learn ten times as fast.
    """

    FACTOR = 10.0
    WEIGHT = 0.2  # of what is added

    def __init__(self, frequencies: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(frequencies, channels)
        walk = self.embedding.weight.data.cumsum(0)  # its deviation grows with the square root
        self.embedding.weight.data = walk / torch.arange(1, frequencies + 1).sqrt()[:, None] / self.FACTOR

    def forward(self, x: Tensor) -> Tensor:
        """Add it to (B, C, F, N)."""
        return x + self.WEIGHT * self.FACTOR * self.embedding.weight.t()[:, :, None]


class FramedBLSTM(nn.Module):
    """A residual two-layer BLSTM over (B, C, T), in frames of 200 steps with half overlap; their middles are joined."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, num_layers=2, bidirectional=True)
        self.linear = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, time = x.shape
        if time <= LSTM_STEPS:
            return x + self._run(x)
        hop = LSTM_STEPS // 2
        count = -(-time // hop)
        padded = functional.pad(x, (0, (count - 1) * hop + LSTM_STEPS - time))
        frames = padded.unfold(2, LSTM_STEPS, hop).transpose(1, 2)  # (B, count, C, 200)
        frames = self._run(frames.reshape(batch * count, channels, LSTM_STEPS)).unflatten(0, (batch, count))
        edge = hop // 2
        middles = frames[..., edge:-edge].transpose(1, 2).flatten(2)  # (B, C, count * 100)
        joined = torch.cat([frames[:, 0, :, :edge], middles, frames[:, -1, :, -edge:]], -1)
        return x + joined[..., :time]

    def _run(self, x: Tensor) -> Tensor:
        """(B, C, T) to the same."""
        hidden, _ = self.lstm(x.permute(2, 0, 1))
        return self.linear(hidden).permute(1, 2, 0)


class LocalAttention(nn.Module):
    """Residual self-attention over (B, C, T) that learns, for each query, how fast it forgets with the distance.

    The logarithm of a weight is lowered by |t - s| times the sum of k sigma(d_k(s)) / 2 over four decays k, divided by
    the square root of four. No query attends to its own position (Défossez 2021, section 3.3).
    """

    HEADS, DECAYS = 4, 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.content, self.query, self.key = (nn.Conv1d(channels, channels, 1) for _ in range(3))
        self.query_decay = nn.Conv1d(channels, self.HEADS * self.DECAYS, 1)
        self.query_decay.weight.data *= 0.01  # all begin with a far and equal reach
        nn.init.constant_(self.query_decay.bias, -2.0)  # type: ignore[arg-type]
        self.proj = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[-1]
        queries, keys, content = (
            layer(x).unflatten(1, (self.HEADS, -1)) for layer in (self.query, self.key, self.content)
        )  # (B, heads, C / heads, T) each
        weights = keys.transpose(2, 3) @ queries / keys.shape[2] ** 0.5  # (B, heads, keys, queries)
        decays = self.query_decay(x).unflatten(1, (self.HEADS, self.DECAYS)).sigmoid() / 2
        factors = torch.arange(1, self.DECAYS + 1, device=x.device, dtype=x.dtype)[:, None]
        slopes = (factors * decays).sum(2, keepdim=True) / self.DECAYS**0.5  # (B, heads, 1, queries)
        places = torch.arange(time, device=x.device, dtype=x.dtype)
        weights = weights - (places[:, None] - places).abs() * slopes
        weights = weights.masked_fill(torch.eye(time, device=x.device, dtype=torch.bool), -100)
        return x + self.proj((content @ weights.softmax(2)).flatten(1, 2))


class ResidualBranches(nn.Module):
    """Two residual branches of few channels over (B, C, T), the second dilated by two; in deep layers with memory.

    Args:
        channels: Of the signal.
        compress: The branches have as many channels, divided by this.
        deep: Whether a branch holds a BLSTM and local attention.
        first_scale: Of the branches before training.
    """

    def __init__(self, channels: int, compress: int, deep: bool, first_scale: float = FIRST_SCALE) -> None:
        super().__init__()
        hidden = channels // compress
        self.layers = nn.ModuleList()
        for dilation in (1, 2):
            narrow = [nn.Conv1d(channels, hidden, 3, dilation=dilation, padding=dilation), nn.GroupNorm(1, hidden)]
            memory = [FramedBLSTM(hidden), LocalAttention(hidden)] if deep else []
            wide = [nn.Conv1d(hidden, 2 * channels, 1), nn.GroupNorm(1, 2 * channels), nn.GLU(1)]
            self.layers.append(nn.Sequential(*narrow, nn.GELU(), *memory, *wide, LayerScale(channels, first_scale)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to the same; of (B, C, F, N), each frequency by itself."""
        signals = x.transpose(1, 2).flatten(0, 1) if x.dim() == 4 else x
        for layer in self.layers:
            signals = signals + layer(signals)
        return signals.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2) if x.dim() == 4 else signals


@dataclass(frozen=True)
class HybridLayer:
    """What a layer down and the layer up at the same depth are made of, in one of the two branches.

    Attributes:
        width: Channels between the two.
        channels_in, channels_out: Of the layer down's input, and of the layer up's output.
        kernel, stride, padding: Of the strided and the transposed convolution.
        over_frequencies: Whether they go over the frequencies of (B, C, F, N), or over the time of (B, C, T).
        meets: Whether the branches meet here.
        deep: Whether there are BLSTMs and local attention.
        normalized: Whether there is group normalization.
        outermost: Whether the layer up is the last.
        splits: Where frequencies are split into bands of their own weights, as shares of them.
    """

    width: int
    channels_in: int
    channels_out: int
    kernel: int
    stride: int
    padding: int
    over_frequencies: bool
    meets: bool
    deep: bool
    normalized: bool
    outermost: bool
    splits: tuple[float, ...] = ()

    @property
    def bare(self) -> bool:
        """Whether it is a convolution alone: of the waveform's branch, where it joins and leaves the spectrogram's."""
        return self.meets and not self.over_frequencies

    def convolution(self, channels_in: int, channels_out: int, kernel: int, padding: int) -> nn.Module:
        """A convolution without stride, of a square kernel where there are frequencies, over time alone in bands."""
        if self.splits:
            return nn.Conv2d(channels_in, channels_out, (1, kernel), padding=(0, padding))
        kind = nn.Conv2d if self.over_frequencies else nn.Conv1d
        return kind(channels_in, channels_out, kernel, padding=padding)

    def norm(self, channels: int) -> nn.Module:
        return nn.GroupNorm(NORM_GROUPS, channels) if self.normalized else nn.Identity()


class LayerDown(nn.Module):
    """Strided convolution, GELU, residual branches, 1x1 convolution and GLU; the first alone in a bare layer."""

    def __init__(self, layer: HybridLayer, compress: int) -> None:
        super().__init__()
        self.layer, width = layer, layer.width
        if layer.over_frequencies:
            sizes = ((layer.kernel, 1), (layer.stride, 1), (layer.padding, 0))
            self.conv: nn.Module = nn.Conv2d(layer.channels_in, width, *sizes)
        else:
            self.conv = nn.Conv1d(layer.channels_in, width, layer.kernel, layer.stride, layer.padding)
        if not layer.bare:
            self.norm1, self.norm2 = layer.norm(width), layer.norm(2 * width)
            self.rewrite = layer.convolution(width, 2 * width, 1, 0)
            self.dconv = ResidualBranches(width, compress, layer.deep)

    def forward(self, x: Tensor, injected: Tensor | None = None) -> Tensor:
        """(B, C, F, N), or (B, C, T), padded to a multiple of the stride; (B, C, N) of the other branch is added."""
        if not self.layer.over_frequencies:
            x = functional.pad(x, (0, -x.shape[-1] % self.layer.stride))
        x = self.conv(x)
        if self.layer.bare:
            return x
        if injected is not None:
            x = x + injected[:, :, None]
        x = self.dconv(functional.gelu(self.norm1(x)))
        return functional.glu(self.norm2(self.rewrite(x)), 1)


class LayerUp(nn.Module):
    """Skip added, convolution, GLU, residual branches if wanted, transposed convolution, and GELU but in the last.

    In a bare layer, the transposed convolution and GELU alone.
    """

    def __init__(self, layer: HybridLayer, compress: int, branches: bool) -> None:
        super().__init__()
        self.layer, width = layer, layer.width
        if layer.over_frequencies:
            sizes = ((layer.kernel, 1), (layer.stride, 1))
            self.conv_tr: nn.Module = nn.ConvTranspose2d(width, layer.channels_out, *sizes)
        else:
            self.conv_tr = nn.ConvTranspose1d(width, layer.channels_out, layer.kernel, layer.stride)
        self.norm2 = layer.norm(layer.channels_out)
        if not layer.bare:
            self.rewrite = layer.convolution(width, 2 * width, 3, 1)
            self.norm1 = layer.norm(2 * width)
        self.dconv = ResidualBranches(width, compress, layer.deep) if branches and not layer.bare else nn.Identity()

    def forward(self, x: Tensor, skip: Tensor | None, time: int) -> tuple[Tensor, Tensor]:
        """The output, of `time` samples where it is over time, and what the transposed convolution was given."""
        if skip is not None:
            x = functional.glu(self.norm1(self.rewrite(x + skip)), 1)
        x = self.dconv(x)
        y, padding = self.norm2(self.conv_tr(x)), self.layer.padding
        if not self.layer.over_frequencies:
            y = y[..., padding : padding + time]
        elif padding:
            y = y[:, :, padding:-padding]
        return (y if self.layer.outermost else functional.gelu(y)), x
