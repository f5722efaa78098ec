"""The audio network of co-separation: Gao & Grauman, "Co-Separating Sounds of Visual Objects", ICCV 2019
(arXiv:1904.07750).

As in the authors' code, rhgao/co-separation (ed1f830, models): the mixture's magnitudes at 11,025 Hz, read at 256
frequencies on a logarithmic scale; a U-Net of seven strided 4x4 convolutions on their logarithm; a sigmoid mask, which
goes back to the linear scale; a weighted L1 loss of the mask against the ratio of the magnitudes of target and mixture,
cut at 5. Theirs is conditioned by an image of the object: 512 features beside those of the innermost layer. Here these
are zero, which is the audio part alone, and several targets come out of one network as channels.

`encoder: resnet18` is a variant without a publication: the layers of ResNet-18 (He et al. 2016; named as in
torchvision, models/resnet.py) on magnitudes in place of the layers down, and layers up of its sizes: 41,718,849
parameters.

Differences:

- The mixture is the sum of its stems; theirs is half the sum of two videos, so that a ratio may be 2.
- Frames at the ends see zeros beyond; those of librosa, theirs, see the mirrored signal. Chunks are of any length: what
  128 frames (in the variant 32) do not divide is filled with silence.
- The masks are interpolated between frequencies alone: theirs are by `grid_sample`, with the corners aligned as PyTorch
  did before 1.3, which leaves the frames as they are.
- No losses of a classifier or over several objects of a video, which need images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, Batch, SpectrogramSeparator

BASE = 21  # of the logarithmic scale, on which -1 to 1 is (BASE^x - 11) / 10 (utils/utils.py, warpgrid)
SILENCE = 1e-10  # added to magnitudes before their logarithm
LARGEST_RATIO = 5.0
RESNET_WIDTHS, RESNET_UP = (64, 64, 128, 256, 512), (1024, 512, 256, 128)


class CosepUNet(SpectrogramSeparator):
    """U-Net on log-frequency magnitudes, the audio network of Gao & Grauman 2019.

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT.
        log_bins: Frequencies of the logarithmic scale, a multiple of 2^depth (in the variant of 32).
        encoder: `unet`, or `resnet18` for the variant that reads magnitudes, not their logarithm.
        depth: Layers down and up of `unet`, from 5 to 7; the authors have 5 and 7.
        filters: Channels of the first layer of `unet`, doubled by each of the next three.
        visual: Features of the image, which are zero: 512 in the authors' network, 0 to leave out their weights.
        weighted: Whether differences of masks are weighted by log(1 + magnitude of the mixture), between 0.001 and 10.
            `bce` on masks, which is no difference, is not weighted, and takes ratios up to 1.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    loss_domains: ClassVar[tuple[str, ...]] = ("waveform", "magnitude", "mask")

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 11025,
        channels: int = 1,
        window_samples: int = 1022,
        hop_samples: int = 256,
        log_bins: int = 256,
        encoder: str = "unet",
        depth: int = 7,
        filters: int = 64,
        visual: int = 512,
        weighted: bool = True,
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if encoder not in ("unet", "resnet18"):
            raise ValueError(f"encoder must be one of unet, resnet18, not '{encoder}'")
        if not 5 <= depth <= 7:
            raise ValueError(f"depth must be from 5 to 7, not {depth}")
        if visual < 0:
            raise ValueError(f"visual must be zero or more features, not {visual}")
        self.resnet = encoder == "resnet18"
        self.stride = 32 if self.resnet else 2**depth
        self.stride_samples = hop_samples * self.stride
        if log_bins < 1 or log_bins % self.stride:
            raise ValueError(f"log_bins must be a multiple of {self.stride}, not {log_bins}")
        self.visual, self.weighted = visual, weighted
        widths = RESNET_WIDTHS if self.resnet else tuple(filters * min(2**i, 8) for i in range(depth))
        ups = RESNET_UP if self.resnet else widths[-2::-1]
        self.down: nn.Module = ResNet18(channels) if self.resnet else Down(channels, widths)
        reads = [widths[-1] + visual, *(a + b for a, b in zip(ups, widths[-2::-1], strict=True))]
        masks = channels * len(self.targets)
        self.up = nn.ModuleList(up(a, b) for a, b in zip(reads[:-1], ups, strict=True))
        self.last = nn.ConvTranspose2d(reads[-1], masks, 4, 2, 1)
        self.up.apply(draw)
        self.last.apply(draw)
        places = np.linspace(-1, 1, log_bins)
        self.to_log = Interpolation((BASE ** ((places + 1) / 2) - 11) / 10, self.stft.bins)
        places = np.linspace(-1, 1, self.stft.bins)
        self.to_linear = Interpolation(np.log(10 * places + 11) / np.log(BASE) * 2 - 1, log_bins)

    def mask(self, spectrogram: Tensor) -> Tensor:
        return self.to_linear(self.log_mask(self._read(spectrogram)))

    def log_mask(self, magnitudes: Tensor) -> Tensor:
        """The masks (B, S, C, log_bins, N) of magnitudes (B, C, log_bins, N) at the authors' level."""
        frames = magnitudes.shape[-1]
        x = nn.functional.pad(magnitudes, (0, -frames % self.stride), value=SILENCE)
        *skips, x = self.down(x if self.resnet else x.log())
        x = nn.functional.pad(x, (0, 0, 0, 0, self.visual, 0))  # an image of zeros
        for layer, skip in zip(self.up, reversed(skips), strict=True):
            x = torch.cat([layer(x), skip], 1)
        return self.last(x)[..., :frames].float().sigmoid().unflatten(1, (len(self.targets), -1))

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Tensor | Mapping[str, Tensor]:
        """On masks, the weighted masks against the weighted ratios of magnitudes, at the frequencies of the network."""
        if getattr(criterion, "domain", "waveform") != "mask":
            return super().loss(batch, criterion)
        mixture = self._read(self.stft(batch.mixture).abs())
        ratios = self.to_log(self.stft(batch.references).abs() / self.stft.scale) / mixture.unsqueeze(1)
        masks, ratios = self.log_mask(mixture), ratios.clamp(0, LARGEST_RATIO)
        if getattr(criterion, "loss", None) == "bce":
            return criterion(masks, ratios.clamp_max(1))
        if not self.weighted:
            return criterion(masks, ratios)
        weight = mixture.log1p().clamp(1e-3, 10).unsqueeze(1)
        return criterion(weight * masks, weight * ratios)

    def _read(self, spectrogram: Tensor) -> Tensor:
        """Magnitudes (B, C, F, N) as the network reads them, (B, C, log_bins, N) at the level of the authors' STFT."""
        return self.to_log(spectrogram / self.stft.scale + SILENCE)


class Interpolation(nn.Module):
    """Reads frequencies between the bins, (..., bins, N) to (..., places, N).

    Args:
        places: From -1, the first bin, to 1, the last.
        bins: How many there are.
    """

    lower: Tensor
    share: Tensor

    def __init__(self, places: np.ndarray, bins: int) -> None:
        super().__init__()
        positions = ((places + 1) / 2 * (bins - 1)).clip(0, bins - 1)
        lower = np.minimum(np.floor(positions), max(bins - 2, 0))
        self.upper = int(bins > 1)
        self.register_buffer("lower", torch.from_numpy(lower.astype(np.int64)), persistent=False)
        share = torch.from_numpy((positions - lower).astype(np.float32))[:, None]
        self.register_buffer("share", share, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        below, above = (image.index_select(-2, self.lower + step) for step in (0, self.upper))
        return torch.lerp(below, above, self.share)


class Down(nn.ModuleList):
    """The layers down of the U-Net: an image to the outputs of all, from the outermost to the innermost."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        pairs = zip((channels, *widths[:-1]), widths, strict=True)
        super().__init__(
            nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, True)) for a, b in pairs
        )
        self.apply(draw)

    def forward(self, image: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = []
        for layer in self:
            outputs.append(layer(outputs[-1] if outputs else image))
        return outputs


def up(channels_in: int, channels_out: int) -> nn.Sequential:
    """A layer up."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels_in, channels_out, 4, 2, 1), nn.BatchNorm2d(channels_out), nn.ReLU(True)
    )


def draw(module: nn.Module) -> None:
    """Initial weights as in the authors' code (models/networks.py, weights_init)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


class ResNet18(nn.Module):
    """The layers of ResNet-18 before its pooling, and after its first convolution and each stage what comes out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        for i, (a, b) in enumerate(zip(RESNET_WIDTHS[:-1], RESNET_WIDTHS[1:], strict=True), 1):
            self.add_module(f"layer{i}", nn.Sequential(BasicBlock(a, b, 1 if i == 1 else 2), BasicBlock(b, b, 1)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> list[Tensor]:
        outputs = [self.bn1(self.conv1(image)).relu()]
        x = nn.functional.max_pool2d(outputs[0], 3, 2, 1)
        for i in range(1, len(RESNET_WIDTHS)):
            x = self.get_submodule(f"layer{i}")(x)
            outputs.append(x)
        return outputs


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and what they are added to."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample = nn.Sequential()
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(inner)) + self.downsample(x)).relu()
