"""Wave-U-Net: Stoller, Ewert, Dixon, "Wave-U-Net: a multi-scale neural network for end-to-end audio source separation",
ISMIR 2018.

As in the paper (figure 1, table 1): convolutions and decimation by two down; linear or learned interpolation, a skip
and a convolution up; tanh outputs, the last target as the mixture less the others (section 3.2.1); with context,
convolutions are not padded, so that 147443 samples give 16389 in their middle (section 3.2.2). Its variants by options:

    M1  output: direct, context: false, channels: 1        M5  as M4 with learned_upsampling: true
    M2  as M1 with output: difference                      M6  as M4 with targets: [bass, drums, other, vocals]
    M3  as M2 with context: true                           M7  as M3 with sample_rate: 8192, filters: 34
    M4  as M3 with channels: 2, targets: [accompaniment, vocals]

M7 is trained on batches of 4 chunks that give at least 98,560 samples (f90/Wave-U-Net, Config.py,
`baseline_comparison`): 102,405 from 233,459.

In training with context, a chunk gives the loss of its middle; in separation, the mixture is padded with zeros at its
ends. Differences: a single target has no others to be the rest of, so `output` has no effect on it; estimates are not
clipped. The reference separates 16,389 samples at a time, each with its own grid of decimated samples (Evaluate.py);
here all chunks lie on one grid, and the outputs of an untrained M4 differ by -30 to -36 dB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from msbench import Batch, Separator, centre, initialize


class WaveUNet(Separator):
    """U-Net on the waveform (Stoller et al. 2018); by default M4.

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz; 22050 in the paper.
        channels: Audio channels; 1 in M1 to M3.
        depth: Number of layers down [L].
        filters: Channels that each layer down adds [F_c].
        kernel_down, kernel_up: Taps of the convolutions down and up [f_d, f_u].
        context: Whether convolutions see real samples alone, and only the middle is estimated.
        learned_upsampling: Whether a weight is learned for each interpolated channel; else it is a half.
        output: `difference`, the last target is the mixture less the others; or `direct`, each is estimated.
        initialization: Of the weights, as `msbench.initialize` takes it; `xavier_uniform` is that of the reference.
        upsampling_edge: What follows the last sample where weights are learned without context: `repeat`, itself; or
            `zero`, as in the reference.
    """

    def __init__(
        self,
        targets: Sequence[str] = ("accompaniment", "vocals"),
        sample_rate: int = 22050,
        channels: int = 2,
        depth: int = 12,
        filters: int = 24,
        kernel_down: int = 15,
        kernel_up: int = 5,
        context: bool = True,
        learned_upsampling: bool = False,
        output: str = "difference",
        initialization: str = "torch",
        upsampling_edge: str = "repeat",
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if output not in ("difference", "direct"):
            raise ValueError(f"output must be 'difference' or 'direct', not '{output}'")
        if upsampling_edge not in ("repeat", "zero"):
            raise ValueError(f"upsampling_edge must be 'repeat' or 'zero', not '{upsampling_edge}'")
        if kernel_down % 2 == 0 or kernel_up % 2 == 0:
            raise ValueError(f"kernel_down and kernel_up must be odd, not {kernel_down} and {kernel_up}")
        self.kernels = (kernel_down, kernel_up)
        self.context = context
        self.zero_edge = learned_upsampling and upsampling_edge == "zero"
        self.difference = output == "difference" and len(self.targets) > 1
        self.stride_samples = 2**depth
        widths = [channels, *(filters * (i + 1) for i in range(depth + 1))]

        def convolution(channels_in: int, channels_out: int, kernel: int) -> nn.Module:
            padding = 0 if context else kernel // 2
            return nn.Sequential(nn.Conv1d(channels_in, channels_out, kernel, padding=padding), nn.LeakyReLU(0.2))

        self.down = nn.ModuleList(convolution(widths[i], widths[i + 1], kernel_down) for i in range(depth))
        self.middle = convolution(widths[depth], widths[depth + 1], kernel_down)
        self.up = nn.ModuleList(
            convolution(widths[i + 1] + widths[i], widths[i], kernel_up) for i in reversed(range(1, depth + 1))
        )
        learned = reversed(range(1, depth + 1)) if learned_upsampling else ()
        self.upsampling = nn.ParameterList(nn.Parameter(torch.zeros(widths[i + 1], 1)) for i in learned)
        estimated = len(self.targets) - int(self.difference)
        last = nn.Conv1d(widths[1] + channels, estimated * channels, 1)
        self.last = nn.Sequential(last, nn.Tanh())
        initialize(self, initialization)
        if initialization == "xavier_uniform":  # the reference has one last layer per target, and vectors to learn
            for weight in last.weight.data.split(channels):
                nn.init.xavier_uniform_(weight)
            for weight in self.upsampling:
                nn.init.uniform_(weight, -math.sqrt(3 / len(weight)), math.sqrt(3 / len(weight)))

    def sizes(self, time: int) -> tuple[int, int]:
        """Samples in and out of the unpadded network for at least `time` out, (147443, 16389) for 16384 in M4."""
        down, up = self.kernels[0] - 1, self.kernels[1] - 1
        needed = float(time)
        for _ in self.up:
            needed = (needed + up + 1) / 2
        middle = max(2, math.ceil(needed))
        inputs, outputs = middle + down, middle
        for _ in self.down:
            inputs, outputs = 2 * inputs - 1 + down, 2 * outputs - 1 - up
        return inputs, outputs

    def network(self, mixture: Tensor) -> Tensor:
        """Estimates (B, S, C, T) of the middle of (B, C, time), with context; else of all of it.

        T is as `sizes` says, for one of its `inputs`; without context, time is a multiple of 2^depth.
        """
        x, skips = mixture, []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
            x = x[..., ::2]
        x = self.middle(x)
        weights = [weight.sigmoid() for weight in self.upsampling] or [0.5] * len(self.up)
        for layer, weight in zip(self.up, weights, strict=True):
            x = self._upsampled(x, weight)
            x = layer(torch.cat([centre(skips.pop(), x.shape[-1]), x], 1))
        mixture = centre(mixture, x.shape[-1])
        estimates = self.last(torch.cat([mixture, x], 1)).unflatten(1, (-1, self.channels))
        if self.difference:
            estimates = torch.cat([estimates, (mixture - estimates.sum(1)).unsqueeze(1)], 1)
        return estimates

    def _upsampled(self, x: Tensor, weight: Tensor | float) -> Tensor:
        """T samples to 2 T - 1, those between by interpolation; without context to 2 T, the last beyond the end."""
        following = x[..., 1:]
        if not self.context:
            edge = x[..., -1:]
            following = torch.cat([following, torch.zeros_like(edge) if self.zero_edge else edge], -1)
        weight = weight.to(x.dtype) if isinstance(weight, Tensor) else weight
        between = torch.lerp(following, x[..., : following.shape[-1]], weight)
        if not self.context:
            return torch.stack([x, between], -1).flatten(-2)
        return torch.cat([torch.stack([x[..., :-1], between], -1).flatten(-2), x[..., -1:]], -1)

    def forward(self, mixture: Tensor) -> Tensor:
        time = mixture.shape[-1]
        if self.context:
            inputs, outputs = self.sizes(time)
            before = (inputs - outputs) // 2
            padding = (before, inputs - before - time)
        else:
            padding = (0, -time % self.stride_samples)
        return self.network(nn.functional.pad(mixture, padding))[..., :time]

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Tensor | Mapping[str, Tensor]:
        """With context, the loss of the middle that a chunk has the context of; of all of it where it is too short."""
        time = batch.mixture.shape[-1]
        least, _ = self.sizes(1)
        if not self.context or time < least:
            return super().loss(batch, criterion)
        inputs = least + (time - least) // self.stride_samples * self.stride_samples
        estimates = self.network(centre(batch.mixture, inputs))
        return criterion(estimates, centre(centre(batch.references, inputs), estimates.shape[-1]))
