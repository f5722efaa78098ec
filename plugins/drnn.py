"""Deep recurrent network with masks inside: Huang, Kim, Hasegawa-Johnson, Smaragdis, "Singing-voice separation from
monaural recordings using deep recurrent neural networks", ISMIR 2014.

The text of the paper was not read. The authors' code was: posenhuang/deeplearningsourceseparation (Matlab, 6a6e54d),
with the best setting for MIR-1K (codes/mir1k/train_mir1k_demo.m:308-353). As there: 513 magnitudes of three frames, of
which the outer ones are repeated at the ends, go through three layers of 1000 rectified units, of which the second also
reads its own output of the frame before; two linear outputs a1 and a2 give the estimates

    y1 = |a1| / (|a1| + |a2| + 1e-10) x mixture,    y2 = |a2| / (|a1| + |a2| + 1e-10) x mixture

as part of the network; the loss `discriminative` on the magnitudes asks each estimate to be near its own target and far
from the other one; a sine window of 1024 samples and a hop of 512 before and after; initial weights as in
initialize_weights.m.

Differences:

- The code brings voice and music of a clip each to an energy of one, which a stream does not know. Here the network
  reads the magnitudes times `input_gain`. 17 is the median, over 40 of the training clips that are stored with the
  code, of the ratio of their magnitudes and ours at a clip's own level; 90 % of them are between 12.6 and 22.7.
- Frames are centered, and zeros beyond both ends give one frame more at each end. The code begins at the first sample
  and leaves out what no whole frame covers.
- The recurrence begins anew in each chunk; in the code, in each clip.
- The code minimizes by L-BFGS over all clips at once; the recipe has Adam on batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from msbench import STFT, SpectrogramSeparator


class DRNN(SpectrogramSeparator):
    """Recurrent network that ends in the masks of two sources (Huang et al. 2014).

    Args:
        targets: The two sources, which together are the mixture.
        sample_rate: Rate in Hz; 16000 in the authors' code.
        channels: Audio channels; 1 in the authors' code.
        window_samples, hop_samples: The STFT; 1024 and 512 in the authors' code.
        context: Number of frames that the network reads for one; odd.
        hidden: Units of each layer.
        layers: Number of layers below the outputs.
        recurrent: Which of them, from 1, is recurrent.
        input_gain: What the network's input is multiplied by.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    def __init__(
        self,
        targets: Sequence[str] = ("vocals", "accompaniment"),
        sample_rate: int = 16000,
        channels: int = 1,
        window_samples: int = 1024,
        hop_samples: int = 512,
        context: int = 3,
        hidden: int = 1000,
        layers: int = 3,
        recurrent: int = 2,
        input_gain: float = 17.0,
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if len(self.targets) != 2:
            raise ValueError(f"drnn separates two targets that add up to the mixture, not {len(self.targets)}")
        if context < 1 or context % 2 == 0:
            raise ValueError(f"context must be an odd number of frames, not {context}")
        if not 1 <= recurrent <= layers:
            raise ValueError(f"recurrent must be from 1 to the number of layers, {layers}, not {recurrent}")
        self.stft = STFT(window_samples, hop_samples, window="sine")
        self.context = context
        self.input_gain = input_gain
        bins = channels * self.stft.bins
        widths = [context * bins, *[hidden] * layers]
        self.layers = nn.ModuleList(
            (Recurrent if i == recurrent else Rectified)(before, after)
            for i, (before, after) in enumerate(zip(widths[:-1], widths[1:], strict=True), 1)
        )
        self.outputs = nn.Linear(hidden, 2 * bins)
        nn.init.xavier_uniform_(self.outputs.weight)
        nn.init.zeros_(self.outputs.bias)

    def mask(self, spectrogram: Tensor) -> Tensor:
        side = self.context // 2
        x = self.input_gain * spectrogram.flatten(1, 2)  # (B, CF, N)
        x = nn.functional.pad(x, (side, side), mode="replicate").unfold(2, self.context, 1)  # (B, CF, N, context)
        x = x.permute(0, 2, 3, 1).flatten(2)  # (B, N, context x CF), frame after frame
        for layer in self.layers:
            x = layer(x)
        levels = self.outputs(x).abs().transpose(1, 2).unflatten(1, (2, *spectrogram.shape[1:3]))
        return levels / (levels.sum(1, keepdim=True) + 1e-10)


class Rectified(nn.Linear):
    """max(0, W x + b), (B, N, before) to (B, N, after)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after)
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


class Recurrent(nn.Linear):
    """h(n) = max(0, W x(n) + b + U h(n - 1)), (B, N, before) to (B, N, after); h(-1) is zero.

    As `torch.nn.RNN`, which has a second bias in the same sum.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after)
        self.recurrence = nn.Parameter(torch.empty(after, after))
        for weight, size in ((self.weight, before + 2 * after), (self.recurrence, 3 * after)):
            nn.init.uniform_(weight, -math.sqrt(6 / size), math.sqrt(6 / size))
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        weights = [self.weight, self.recurrence, self.bias, torch.zeros_like(self.bias)]
        start = x.new_zeros(1, len(x), len(self.bias))
        return torch.rnn_relu(x, start, weights, True, 1, 0.0, self.training, False, True)[0]
