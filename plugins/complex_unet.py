"""Deep complex U-Net: Choi, Kim, Huh, Kim, Ha, Lee, "Phase-aware speech enhancement with deep complex U-Net", ICLR
2019.

As in the paper: complex convolutions W x = (A a - B b) + i (B a + A b) for W = A + iB and x = a + ib (section 3.1) in a
U with skips by concatenation, and a complex ratio mask whose magnitude is bounded by tanh (equation 4). Layers, sizes
and normalization are asteroid's DCUNet: real and imaginary parts each have a batch normalization and a leaky ReLU.

A complex convolution is one real convolution of the stacked parts [a, b] with the block matrix [[A, -B], [B, A]], in
place of four; so nothing but the spectrogram and the mask is of a complex type.

Differences from asteroid: the centered STFT of msbench, whose ends are not lost, and any number of audio channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, SpectrogramSeparator

Layer = tuple[int, tuple[int, int], tuple[int, int]]  # channels out, kernel and stride, each over (frequency, time)

# The layers down (appendix B); the way up mirrors them.
_TALL, _WIDE, _BIG, _SMALL = (7, 1), (1, 7), (7, 5), (5, 3)
ARCHITECTURES: dict[str, list[Layer]] = {
    "10": [(32, _BIG, (2, 2)), (64, _BIG, (2, 2)), (64, _SMALL, (2, 2)), (64, _SMALL, (2, 2)), (64, _SMALL, (2, 1))],
    "16": [
        *[(32, _BIG, (2, 2)), (32, _BIG, (2, 1)), (64, _BIG, (2, 2))],
        *[(64, _SMALL, (2, 1)), (64, _SMALL, (2, 2)), (64, _SMALL, (2, 1)), (64, _SMALL, (2, 2)), (64, _SMALL, (2, 1))],
    ],
    "20": [
        *[(32, _TALL, (1, 1)), (32, _WIDE, (1, 1)), (64, _BIG, (2, 2)), (64, _BIG, (2, 1))],
        *[(64, _SMALL, (2, 2)), (64, _SMALL, (2, 1)), (64, _SMALL, (2, 2)), (64, _SMALL, (2, 1))],
        *[(64, _SMALL, (2, 2)), (90, _SMALL, (2, 1))],
    ],
    "large-20": [
        *[(45, _TALL, (1, 1)), (45, _WIDE, (1, 1)), (90, _BIG, (2, 2)), (90, _BIG, (2, 1))],
        *[(90, _SMALL, (2, 2)), (90, _SMALL, (2, 1)), (90, _SMALL, (2, 2)), (90, _SMALL, (2, 1))],
        *[(90, _SMALL, (2, 2)), (128, _SMALL, (2, 1))],
    ],
}
UP_WIDTHS = {"large-20": 90}  # of every layer up; else as wide as what the layer down was given
BOUNDS = ("tanh", "sigmoid", "none")


class ComplexUNet(SpectrogramSeparator):
    """U-Net of complex convolutions that masks the complex spectrogram (Choi et al. 2019).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz; 16000 in the paper.
        channels: Audio channels; 1 in the paper.
        window_samples, hop_samples: The STFT; 1024 and 256 in the paper.
        architecture: `10`, `16`, `20` or `large-20`: the number of layers, all in all.
        bound: Of the mask: `tanh` on its magnitude, `sigmoid` on its parts, or `none`.
        negative_slope: Of the leaky ReLU on real and imaginary part (CReLU); 0 for a ReLU.
    """

    complex_input: ClassVar[bool] = True

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 16000,
        channels: int = 1,
        window_samples: int = 1024,
        hop_samples: int = 256,
        architecture: str = "20",
        bound: str = "tanh",
        negative_slope: float = 0.01,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples)
        if architecture not in ARCHITECTURES:
            raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)}, not '{architecture}'")
        if bound not in BOUNDS:
            raise ValueError(f"bound must be one of {', '.join(BOUNDS)}, not '{bound}'")
        self.bound = bound
        layers = ARCHITECTURES[architecture]
        widths = [channels, *(width for width, _, _ in layers)]
        self.down = nn.ModuleList()
        for a, b, (_, kernel, stride) in zip(widths[:-1], widths[1:], layers, strict=True):
            self.down.append(Block(ComplexConv(nn.Conv2d, a, b, kernel, stride), b, negative_slope))
        self.up = nn.ModuleList()
        inputs = widths[-1]
        for i in reversed(range(1, len(layers))):
            _, kernel, stride = layers[i]
            width = UP_WIDTHS.get(architecture, widths[i])
            self.up.append(Block(ComplexConv(nn.ConvTranspose2d, inputs, width, kernel, stride), width, negative_slope))
            inputs = width + widths[i]
        _, kernel, stride = layers[0]
        self.last = ComplexConv(nn.ConvTranspose2d, inputs, len(self.targets) * channels, kernel, stride, bias=True)
        self.strides = tuple(math.prod(stride[axis] for _, _, stride in layers) for axis in (0, 1))
        self.stride_samples = hop_samples * self.strides[1]

    def mask(self, spectrogram: Tensor) -> Tensor:
        bins, frames = spectrogram.shape[-2:]
        padding = (0, (1 - frames) % self.strides[1], 0, (1 - bins) % self.strides[0])
        x = nn.functional.pad(torch.stack([spectrogram.real, spectrogram.imag], 1), padding)  # (B, 2, C, F, N)
        skips: list[Tensor] = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        for layer, skip in zip(self.up, skips[-2::-1], strict=True):
            x = torch.cat([layer(x), skip], 2)
        real, imaginary = self.last(x)[..., :bins, :frames].float().unbind(1)
        if self.bound == "sigmoid":
            real, imaginary = real.sigmoid(), imaginary.sigmoid()
        mask = torch.complex(real, imaginary).unflatten(1, (len(self.targets), -1))
        if self.bound == "tanh":
            magnitude = (real.square() + imaginary.square() + 1e-16).sqrt().view_as(mask.real)
            mask = mask * (magnitude.tanh() / magnitude)
        return mask


class Block(nn.Module):
    """A complex convolution, then a batch normalization and a leaky ReLU for each of its real and imaginary parts."""

    def __init__(self, convolution: ComplexConv, channels: int, negative_slope: float) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm2d(2 * channels)
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2, C, F, N) to the same with other C, F and N."""
        x = self.norm(self.convolution(x).flatten(1, 2))
        return nn.functional.leaky_relu(x, self.negative_slope).unflatten(1, (2, -1))


class ComplexConv(nn.Module):
    """A complex convolution, or a transposed one, as one real convolution of (B, 2, C, F, N); 2 is real, imaginary."""

    def __init__(
        self,
        kind: type[nn.Conv2d | nn.ConvTranspose2d],
        channels_in: int,
        channels_out: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = (kernel[0] // 2, kernel[1] // 2)
        self.real, self.imaginary = (
            kind(channels_in, channels_out, kernel, stride, self.padding, bias=bias) for _ in range(2)
        )
        self.transposed = kind is nn.ConvTranspose2d

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.real.weight, self.imaginary.weight
        bias = None
        if self.real.bias is not None and self.imaginary.bias is not None:
            bias = torch.cat([self.real.bias - self.imaginary.bias, self.real.bias + self.imaginary.bias])
        if self.transposed:  # weights are (in, out, ...)
            weight = torch.cat([torch.cat([a, b], 1), torch.cat([-b, a], 1)])
            y = nn.functional.conv_transpose2d(x.flatten(1, 2), weight, bias, self.stride, self.padding)
        else:  # (out, in, ...)
            weight = torch.cat([torch.cat([a, -b], 1), torch.cat([b, a], 1)])
            y = nn.functional.conv2d(x.flatten(1, 2), weight, bias, self.stride, self.padding)
        return y.unflatten(1, (2, -1))
