"""Demucs: Défossez, Usunier, Bottou, Bach, "Music source separation in the waveform domain", 2019 (v1) and 2021 (v2),
arXiv:1911.13254.

As in the paper (figure 2): layers of strided convolution, ReLU, 1x1 convolution and GLU down; a two-layer BLSTM; layers
of skip by addition, convolution, GLU and transposed convolution up; initial weights rescaled (section 4.1.2). v1 works
at the mixture's rate, and its convolutions up take their context from the padding of the input. v2 works at twice the
rate, with padded convolutions, as in the authors' package 4.x. v3, of the MDX challenge 2021 (Défossez 2021,
arXiv:2111.03600; demucs/demucs.py of that package), has GELU, residual branches in each layer down, and from the fifth
layer on group normalization, with BLSTMs and local attention in the branches. Its published networks have no BLSTM
between down and up (`lstm_layers: 0`).

Differences: the convolutions up of the paper's own v2 (facebookresearch/demucs, branch v2) have no padding either, as
with `padded: false`: with the same weights, outputs are 75 to 88 dB apart. For both versions, the authors normalize a
track outside the network, by the mean and the deviation of its whole mixture (the mean of its channels), as with
`normalize: song`, and their loss compares normalized signals. By default the network normalizes each chunk that it is
given, and the loss compares signals as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import julius
from torch import Tensor, nn

from msbench import ResidualBranches, Separator, centre

KERNEL, STRIDE = 8, 4
PLAIN_LAYERS, COMPRESS, NORM_GROUPS, FIRST_SCALE = 4, 4, 4, 1e-4  # of v3: conf/config.yaml of the authors


class Demucs(Separator):
    """Waveform U-Net with a BLSTM (Défossez et al. 2021).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        version: `v1`, `v2` or `v3`.
        filters: Channels of the first layer, doubled by each further one: 64 in v2, 100 in v1 (64 in its light model).
        depth: Number of layers down.
        context: Taps of the convolutions up.
        lstm_layers: Of the BLSTM; 0 for none.
        rescale: Standard deviation that initial weights are brought half way to; 0 leaves them.
        normalize: Whether the mean of the mixture's channels is brought to zero mean and unit deviation, and estimates
            back. None, as in checkpoints from before this was an option: in v2 and v3.
            `song`: those of a whole song; in v3, and then of each chunk, as by the authors.
        padded: Whether the convolutions up are padded. None: in v2 and v3.
        rewrite: Whether layers have a 1x1 convolution (down), or a convolution (up), and a GLU.
    """

    def __init__(
        self,
        targets: Sequence[str] = ("drums", "bass", "other", "vocals"),
        sample_rate: int = 44100,
        channels: int = 2,
        version: str = "v2",
        filters: int = 64,
        depth: int = 6,
        context: int = 3,
        lstm_layers: int = 2,
        rescale: float = 0.1,
        normalize: bool | Literal["song"] | None = None,
        padded: bool | None = None,
        rewrite: bool = True,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if version not in ("v1", "v2", "v3"):
            raise ValueError(f"version must be 'v1', 'v2' or 'v3', not '{version}'")
        if version == "v3" and filters < 2 * COMPRESS:
            raise ValueError(f"filters must be at least {2 * COMPRESS} in v3, not {filters}")
        if context < 1 or context % 2 == 0:
            raise ValueError(f"context must be odd, not {context}")
        if normalize not in (None, True, False, "song"):
            raise ValueError(f"normalize must be true, false or 'song', not {normalize!r}")
        self.resampled, self.normalizes_songs = version != "v1", normalize == "song"
        self.normalize = self.resampled if normalize is None else normalize is True
        if version == "v3" and self.normalizes_songs:
            self.normalize = True
        self.unpadded = 0 if (self.resampled if padded is None else padded) else context - 1
        self.stride_samples = STRIDE**depth // (2 if self.resampled else 1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        widths = [channels, *(filters * 2**i for i in range(depth))]
        for i, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            layer = Layer(version == "v3", deep=i >= PLAIN_LAYERS, rewrite=rewrite)
            self.down.append(layer.down(a, b))
            outputs = a if i else channels * len(self.targets)
            self.up.insert(0, layer.up(b, outputs, context, 0 if self.unpadded else context // 2, last=i == 0))
        self.lstm = nn.LSTM(widths[-1], widths[-1], lstm_layers, bidirectional=True) if lstm_layers else None
        self.linear = nn.Linear(2 * widths[-1], widths[-1]) if lstm_layers else None
        self.upsample, self.downsample = julius.ResampleFrac(1, 2), julius.ResampleFrac(2, 1)
        if rescale:
            for convolution in self.modules():
                if isinstance(convolution, nn.Conv1d | nn.ConvTranspose1d):
                    scale = (convolution.weight.std().detach() / rescale).sqrt()
                    for parameter in convolution.parameters():
                        parameter.data /= scale

    def padded_length(self, time: int) -> int:
        """The least number of samples, of at least `time`, that no convolution down leaves any of."""
        length = 2 * time if self.resampled else time
        for _ in self.down:
            length = max(1, -(-(length - KERNEL) // STRIDE) + 1) + self.unpadded
        for _ in self.up:
            length = (length - 1) * STRIDE + KERNEL
        return -(-length // 2) if self.resampled else length

    def forward(self, mixture: Tensor) -> Tensor:
        time = mixture.shape[-1]
        x = mixture
        if self.normalize:
            mono = mixture.mean(1, keepdim=True)
            mean = mono.mean(-1, keepdim=True)
            deviation = mono.std(-1, keepdim=True, correction=min(1, time - 1))
            x = (x - mean) / (1e-5 + deviation)
        missing = self.padded_length(time) - time
        x = nn.functional.pad(x, (missing // 2, missing - missing // 2))
        if self.resampled:
            x = self.upsample(x)
        skips: list[Tensor] = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        if self.lstm is not None and self.linear is not None:
            x = self.linear(self.lstm(x.permute(2, 0, 1))[0]).permute(1, 2, 0)
        for layer in self.up:
            x = layer(x + centre(skips.pop(), x.shape[-1]))
        if self.resampled:
            x = self.downsample(x)
        if self.normalize:
            x = x * deviation + mean
        return centre(x, time).unflatten(1, (len(self.targets), -1))


@dataclass(frozen=True)
class Layer:
    """What a layer down and the layer up at the same depth are made of; modules are in the order of the package.

    Attributes:
        v3: Whether there are GELU and residual branches.
        deep: Whether it is one of v3's layers with normalization, BLSTMs and local attention.
        rewrite: Whether there is a second convolution with a GLU.
    """

    v3: bool
    deep: bool
    rewrite: bool

    def down(self, channels: int, width: int) -> nn.Sequential:
        modules = [nn.Conv1d(channels, width, KERNEL, STRIDE), *self._norm(width), self._activation()]
        modules += [ResidualBranches(width, COMPRESS, self.deep, FIRST_SCALE)] if self.v3 else []
        return nn.Sequential(*modules, *self._rewritten(width, 1, 0))

    def up(self, width: int, channels: int, context: int, padding: int, last: bool) -> nn.Sequential:
        modules = [*self._rewritten(width, context, padding), nn.ConvTranspose1d(width, channels, KERNEL, STRIDE)]
        return nn.Sequential(*modules, *([] if last else [*self._norm(channels), self._activation()]))

    def _rewritten(self, width: int, taps: int, padding: int) -> list[nn.Module]:
        if not self.rewrite:
            return []
        return [nn.Conv1d(width, 2 * width, taps, padding=padding), *self._norm(2 * width), nn.GLU(1)]

    def _norm(self, channels: int) -> list[nn.Module]:
        if not self.v3:
            return []
        return [nn.GroupNorm(NORM_GROUPS, channels) if self.deep else nn.Identity()]

    def _activation(self) -> nn.Module:
        return nn.GELU() if self.v3 else nn.ReLU()
