"""Deep complex U-Net: Choi, Kim, Huh, Kim, Ha, Lee, "Phase-aware speech enhancement with deep complex U-Net", ICLR
2019.

As in the paper: complex convolutions W x = (A a - B b) + i (B a + A b) for W = A + iB and x = a + ib in a U with skips
by concatenation, a complex ratio mask whose magnitude is bounded by tanh, and the weighted SDR loss (`wsdr`). The
authors published no code. Layers, sizes and normalization are those of DCUNet in asteroid 0.7.0 (asteroid/masknn), in
which the real and the imaginary parts each have a batch normalization and a leaky ReLU.

A complex convolution is one real convolution of the stacked parts [a, b] with the block matrix [[A, -B], [B, A]], in
place of four; so nothing but the spectrogram and the mask is of a complex type.

Differences from asteroid: the centered STFT of msbench, whose ends are not lost, and any number of audio channels.

Differences from the paper: public implementations disagree on its batch normalization. asteroid and
sweetcocoa/DeepComplexUNetPyTorch normalize real and imaginary parts apart; chanil1218/DCUnet.pytorch whitens them
together, as Trabelsi et al. 2018 do (ChihebTrabelsi/deep_complex_networks, complexnn/bn.py): `norm: complex`. Which of
them the authors had is unverified, and so are their initial weights; here these are torch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

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
NORMS = ("parts", "complex")


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
        norm: Batch normalization of real and imaginary `parts` apart, or `complex`.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
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
        norm: str = "parts",
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if architecture not in ARCHITECTURES:
            raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)}, not '{architecture}'")
        if bound not in BOUNDS:
            raise ValueError(f"bound must be one of {', '.join(BOUNDS)}, not '{bound}'")
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, not '{norm}'")
        self.bound = bound
        layers = ARCHITECTURES[architecture]
        widths = [channels, *(width for width, _, _ in layers)]
        self.down = nn.ModuleList()
        for a, b, (_, kernel, stride) in zip(widths[:-1], widths[1:], layers, strict=True):
            self.down.append(Block(ComplexConv(nn.Conv2d, a, b, kernel, stride), b, negative_slope, norm))
        self.up = nn.ModuleList()
        inputs = widths[-1]
        for i in reversed(range(1, len(layers))):
            _, kernel, stride = layers[i]
            width = UP_WIDTHS.get(architecture, widths[i])
            convolution = ComplexConv(nn.ConvTranspose2d, inputs, width, kernel, stride)
            self.up.append(Block(convolution, width, negative_slope, norm))
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
    """A complex convolution, a batch normalization, and a leaky ReLU for each of real and imaginary part."""

    def __init__(self, convolution: ComplexConv, channels: int, negative_slope: float, norm: str) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm2d(2 * channels) if norm == "parts" else ComplexNorm(channels)
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2, C, F, N) to the same with other C, F and N."""
        x = self.norm(self.convolution(x).flatten(1, 2))
        return nn.functional.leaky_relu(x, self.negative_slope).unflatten(1, (2, -1))


class ComplexNorm(nn.Module):
    """Batch normalization that whitens real and imaginary part together (Trabelsi et al. 2018, section 3.5).

    A new one gives each part a variance of one half. Momentum and epsilon are those of complexnn/bn.py.
    """

    mean: Tensor
    covariance: Tensor

    def __init__(self, channels: int, momentum: float = 0.1, epsilon: float = 1e-4) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        diagonal = torch.tensor([0.5**0.5, 0.0, 0.5**0.5])[:, None].repeat(1, channels)
        self.scale = nn.Parameter(diagonal.clone())  # of real, between both, of imaginary
        self.shift = nn.Parameter(torch.zeros(2, channels))
        self.register_buffer("mean", torch.zeros(2, channels))
        self.register_buffer("covariance", diagonal)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, N), real before imaginary, to the same."""
        parts = x.float().unflatten(1, (2, -1))
        mean, covariance = self.mean, self.covariance
        if self.training:
            mean = parts.mean((0, 3, 4))
            real, imaginary = (parts - mean[:, :, None, None]).unbind(1)
            products = torch.stack([real * real, real * imaginary, imaginary * imaginary])
            covariance = products.mean((1, 3, 4))
            self.mean.lerp_(mean.detach(), self.momentum)
            self.covariance.lerp_(covariance.detach(), self.momentum)
        a, b, d = covariance
        a, d = a + self.epsilon, d + self.epsilon
        root = (a * d - b * b).clamp_min(self.epsilon**2).sqrt()  # determinant of the square root of [[a, b], [b, d]]
        whitening = torch.stack([d + root, -b, -b, a + root]) / (root * (a + d + 2 * root).sqrt())
        scale, whitening = self.scale[[0, 1, 1, 2]].view(2, 2, -1), whitening.view(2, 2, -1)
        # Products by hand: autocast would take einsum in bfloat16.
        matrix = (scale.unsqueeze(2) * whitening).sum(1)[..., None, None]  # (2, 2, C, 1, 1)
        real, imaginary = (parts - mean[:, :, None, None]).split(1, 1)
        return (matrix[:, 0] * real + matrix[:, 1] * imaginary + self.shift[:, :, None, None]).flatten(1, 2)


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
