"""Spleeter: Hennequin, Khlif, Voituret, Moussallam, "Spleeter: a fast and efficient music source separation tool with
pre-trained models", Journal of Open Source Software 5(50), 2020.

As in the authors' code, deezer/spleeter (64daa5a, spleeter/model): one U-Net per stem, all of them on the magnitudes of
both channels below 11 kHz, in segments of 512 frames; six strided 5x5 convolutions down and as many up, with
TensorFlow's asymmetric padding; the skips are the convolutions' outputs, the innermost one is neither normalized nor
activated, and layers up are normalized after the activation. Each U-Net masks the mixture; what a stem gets in the end
is its share in the sum of the squared estimates, and zero above 11 kHz. The loss is L1 on the U-Nets' estimates. The
STFT begins one window before the song, so that a song in one chunk gives the estimates of the authors' code.

`convert` reads the published weights. They were trained without batch statistics and dropout: nothing in the code turns
either on, and all published means are 0 and variances 1 (deezer/spleeter, issue 151). `norm: fixed` is that.

Differences:

- The 2, 4 and 5 stems are options: `activation` (the 2 stems have `leaky_relu`) and `mask` (the 5 have `softmax`).
- A long song is separated in chunks that overlap. The authors' code puts a whole song into segments side by side.
- The loss is the mean over stems, theirs the sum. Their training data are magnitudes of 8 bits, on a scale of decibels.
- Their option `-mwf`, a multichannel Wiener filter, was not compared with `phase: wiener`.
- With a single target (theirs would be the mixture), its U-Net's mask; `msbench join` makes one model of several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, Batch, SameConv2d, SameConvTranspose2d, SpectrogramSeparator, initialize, load

LAYERS = 6  # down, and up
ACTIVATIONS: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = {  # down and up
    "elu": (nn.ELU, nn.ELU),
    "leaky_relu": (lambda: nn.LeakyReLU(0.2), nn.ReLU),
}
EPSILON = 1e-10  # of the stems' shares
PUBLISHED: dict[int, dict[str, Any]] = {  # by the number of stems (spleeter/resources/{2,4,5}stems.json)
    2: {"targets": ["vocals", "accompaniment"], "activation": "leaky_relu"},
    4: {"targets": ["vocals", "drums", "bass", "other"]},
    5: {"targets": ["vocals", "piano", "drums", "bass", "other"], "mask": "softmax"},
}


class Spleeter(SpectrogramSeparator):
    """One U-Net per stem on magnitudes, and each stem's share of their estimates (Hennequin et al. 2020).

    Args:
        targets: Stems to estimate. A single one gets the mask of its U-Net, as its share would be the mixture.
        sample_rate: Rate in Hz.
        channels: Audio channels, which the U-Nets read together.
        window_samples, hop_samples: The STFT.
        bins: Frequency bins that the U-Nets read, from zero: a multiple of 64. 1536 in the authors' 16 kHz variants.
        segment_frames: Frames that the U-Nets read at a time: a multiple of 64.
        filters: Channels of the first layer, doubled by each further one.
        activation: `elu`, or `leaky_relu` for leaky ReLU 0.2 down and ReLU up.
        mask: `sigmoid`, or `softmax` over the stems.
        extension: What the bins above `bins` get: `zeros`, or the `average` share of those below.
        exponent: Of the estimates in a stem's share.
        norm: `fixed`, scales and shifts alone, or `batch` for the statistics of batches (see above).
        dropout: In the first three layers up; 0.5 in the code, where nothing turns it on.
        initialization: Of the weights, as `msbench.initialize` takes it.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 4096,
        hop_samples: int = 1024,
        bins: int = 1024,
        segment_frames: int = 512,
        filters: int = 16,
        activation: str = "elu",
        mask: str = "sigmoid",
        extension: str = "zeros",
        exponent: float = 2.0,
        norm: str = "fixed",
        dropout: float = 0.0,
        initialization: str = "he_uniform",
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        for option, value, known in (
            ("activation", activation, tuple(ACTIVATIONS)),
            ("mask", mask, ("sigmoid", "softmax")),
            ("extension", extension, ("zeros", "average")),
            ("norm", norm, ("fixed", "batch")),
        ):
            if value not in known:
                raise ValueError(f"{option} must be one of {', '.join(known)}, not '{value}'")
        if mask == "softmax" and len(self.targets) == 1:
            raise ValueError("mask softmax is among several targets: name two or more, or set mask to sigmoid")
        for option, size in (("bins", bins), ("segment_frames", segment_frames)):
            if size < 1 or size % 2**LAYERS:
                raise ValueError(f"{option} must be a multiple of {2**LAYERS}, not {size}")
        if bins > self.stft.bins:
            raise ValueError(f"bins must be at most {self.stft.bins}, which the STFT has, not {bins}")
        if window_samples % 2:
            raise ValueError(f"window_samples must be even, not {window_samples}")
        self.bins, self.segment_frames, self.exponent = bins, segment_frames, exponent
        self.stride_samples = hop_samples * 2**LAYERS
        self.softmax, self.average = mask == "softmax", extension == "average"
        norm_layer = FixedNorm if norm == "fixed" else nn.BatchNorm2d
        self.unets = nn.ModuleList(UNet(channels, filters, activation, norm_layer, dropout) for _ in self.targets)
        initialize(self, initialization)

    def forward(self, mixture: Tensor) -> Tensor:
        half = self.stft.window_samples // 2  # the first frame ends where the song begins, as in the authors' code
        return super().forward(nn.functional.pad(mixture, (half, half)))[..., half:-half]

    def mask(self, spectrogram: Tensor) -> Tensor:
        if len(self.targets) == 1:
            shares = self._masks(self._read(spectrogram))
        else:
            powers = self.estimate(spectrogram) ** self.exponent
            shares = (powers + EPSILON / len(self.targets)) / (powers.sum(1, keepdim=True) + EPSILON)
        rest = spectrogram.shape[2] - self.bins
        if self.average:
            return torch.cat([shares, shares.mean(3, keepdim=True).expand(-1, -1, -1, rest, -1)], 3)
        return nn.functional.pad(shares, (0, 0, 0, rest))

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Tensor | Mapping[str, Tensor]:
        """On magnitudes that of the U-Nets' estimates, before the shares; on waveforms that of the separated stems."""
        if getattr(criterion, "domain", "waveform") != "magnitude":
            return super().loss(batch, criterion)
        estimates = self.estimate(self.stft(batch.mixture).abs())
        return criterion(estimates, self._read(self.stft(batch.references).abs()))

    def networks(self) -> Mapping[str, nn.Module]:
        """Each U-Net learns by itself, unless the softmax makes them compete."""
        return {} if self.softmax else dict(zip(self.targets, self.unets, strict=True))

    def estimate(self, spectrogram: Tensor) -> Tensor:
        """The U-Nets' magnitudes (B, S, C, bins, N) of a mixture's (B, C, F, N)."""
        read = self._read(spectrogram)
        return self._masks(read) * read.unsqueeze(1)

    def _masks(self, read: Tensor) -> Tensor:
        """The U-Nets' masks (B, S, C, bins, N) of what they read (B, C, bins, N)."""
        frames = read.shape[-1]
        padded = nn.functional.pad(read, (0, -frames % self.segment_frames))
        segments = padded.unflatten(-1, (-1, self.segment_frames)).movedim(-2, 1)  # (B, segments, C, bins, frames)
        images = segments.flatten(0, 1)
        logits = torch.stack([unet(images) for unet in self.unets], 1).float()
        masks = logits.softmax(1) if self.softmax else logits.sigmoid()
        return masks.unflatten(0, segments.shape[:2]).movedim(1, -2).flatten(-2)[..., :frames]

    def _read(self, spectrogram: Tensor) -> Tensor:
        """The bins that the U-Nets read, (..., F, N) to (..., bins, N), at the level of the authors' STFT."""
        return spectrogram[..., : self.bins, :] / self.stft.scale


class FixedNorm(nn.BatchNorm2d):
    """A batch normalization that keeps its statistics and uses them in training too."""

    def train(self, mode: bool = True) -> FixedNorm:
        super().train(False)
        return self


class UNet(nn.Module):
    """The U-Net of one stem: magnitudes (B, C, F, N) to the logits of a mask, for multiples of 64 of F and N."""

    def __init__(
        self, channels: int, filters: int, activation: str, norm: type[nn.BatchNorm2d], dropout: float
    ) -> None:
        super().__init__()
        widths = [filters * 2**i for i in range(LAYERS)]
        downs = [channels, *widths]
        ups = [*reversed(widths[:-1]), 1]
        reads = [widths[-1], *(2 * width for width in ups[:-1])]
        self.down = nn.ModuleList(SameConv2d(a, b) for a, b in zip(downs[:-1], downs[1:], strict=True))
        self.down_norms = nn.ModuleList(norm(width, 1e-3, 0.01) for width in widths)  # as Keras's
        self.down_norms[-1].requires_grad_(False)  # nothing reads it, in the published weights too
        self.up = nn.ModuleList(SameConvTranspose2d(a, b) for a, b in zip(reads, ups, strict=True))
        self.up_norms = nn.ModuleList(norm(width, 1e-3, 0.01) for width in ups)
        self.down_activation, self.up_activation = (make() for make in ACTIVATIONS[activation])
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Conv2d(1, channels, 4, padding=3, dilation=2)

    def forward(self, image: Tensor) -> Tensor:
        skips = [self.down[0](image)]
        for norm, convolution in zip(self.down_norms[:-1], self.down[1:], strict=True):
            skips.append(convolution(self.down_activation(norm(skips[-1]))))
        x = skips.pop()
        for i, (transposed, norm) in enumerate(zip(self.up, self.up_norms, strict=True)):
            x = norm(self.up_activation(transposed(x)))
            x = self.dropout(x) if i < 3 else x
            x = torch.cat([skips.pop(), x], 1) if skips else x
        return self.last(x)


def convert(arrays: Mapping[str, np.ndarray], **options: Any) -> Spleeter:
    """A model with the weights of a TensorFlow checkpoint of Spleeter, such as the published ones of 2, 4 and 5 stems.

    `msbench.read_tensorflow` reads such a checkpoint, and `np.load` one that TensorFlow itself has written as arrays.

    Args:
        arrays: The checkpoint's variables by name; those of the optimizer may be among them.
        options: Of the model's constructor, in place of those of the published model of as many stems.

    Raises:
        ValueError: If an array is missing or of another shape than the model's, or no options are known.
    """
    stems = sum(name.startswith("conv2d_transpose") and name.endswith("/kernel") for name in arrays) // LAYERS
    if stems not in PUBLISHED and "targets" not in options:
        raise ValueError(f"no published weights of Spleeter have {stems} stems: give the targets, in their order")
    options = {**PUBLISHED.get(stems, {}), **options}
    if len(options["targets"]) != stems:
        raise ValueError(f"the weights are of {stems} stems, and the targets {len(options['targets'])}")
    model = load("spleeter", **options)
    assert isinstance(model, Spleeter)
    state = model.state_dict()
    for ours, theirs in _variables(stems):
        if theirs not in arrays:
            raise ValueError(f"no weights of Spleeter's {stems} stems: there is no array '{theirs}'")
        # Kernels are (time, frequency, in, out) there, or (time, frequency, out, in) of transposed ones.
        weight = np.ascontiguousarray(arrays[theirs].T)
        if weight.shape != tuple(state[ours].shape):
            raise ValueError(f"'{theirs}' is {weight.T.shape}, and the model's {tuple(reversed(state[ours].shape))}")
        state[ours] = torch.from_numpy(weight)
    model.load_state_dict(state)
    return model


def _variables(stems: int) -> Iterator[tuple[str, str]]:
    """The names of all weights, ours and TensorFlow's, which counts the layers of a kind in the order of their making.

    Read in the code (spleeter/model/functions/unet.py); tuan3w/spleeter-pytorch, spleeter/util.py, opens the published
    files with the same names.
    """
    plain = {"weight": "kernel", "bias": "bias"}
    norm = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    kinds = (
        ("conv2d", plain, [*(f"down.{i}" for i in range(LAYERS)), "last"]),
        ("conv2d_transpose", plain, [f"up.{i}" for i in range(LAYERS)]),
        ("batch_normalization", norm, [f"{part}_norms.{i}" for part in ("down", "up") for i in range(LAYERS)]),
    )
    for kind, parts, layers in kinds:
        for made, (stem, layer) in enumerate(product(range(stems), layers)):
            for ours, theirs in parts.items():
                yield f"unets.{stem}.{layer}.{ours}", f"{kind}{f'_{made}' if made else ''}/{theirs}"
