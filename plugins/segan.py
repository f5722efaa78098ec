"""SEGAN: Pascual, Bonafonte & Serrà, "SEGAN: speech enhancement generative adversarial network", Interspeech 2017
(arXiv:1703.09452).

A generator maps the waveform of the mixture to that of the target: eleven strided convolutions down and as many
transposed ones up, with noise beside the innermost features, skip connections, PReLU, and tanh at the end. A
discriminator learns to tell pairs (target, mixture) from pairs (estimate, mixture). With D and G for the two networks,
s for the target, x for the mixture and z for the noise, they minimize (least-squares GAN, 100 times L1):

    D   mean (D(s, x) - 1)² + mean D(G(x, z), x)²
    G   mean (D(G(x, z), x) - 1)² + 100 mean |G(x, z) - s|

Of the paper's text, the abstract alone was read. Networks and training are those of the first author's
santi-pdp/segan_pytorch (0522387), with the sizes of his santi-pdp/segan (c88a08d, the paper's code, in TensorFlow).
Signals have pre-emphasis; slices of 16,384 samples at 16 kHz are separated one by one and put one after the other. The
former differs from the latter in batch normalization for virtual batch normalization, PReLU for leaky ReLU, three
linear layers and random shifts (`phase_shift`) in the discriminator.

Differences: several targets and audio channels are channels of the networks; the reference has one of each. Noise is
drawn anew in each training step. For separation, it is drawn once, when the model is built, and is the same for each
slice, so that a mixture has one estimate; the reference draws it once per file. The recipe's loss takes the place of
L1, as its `--reg_loss` does. The discriminator is in the checkpoint, so that training can be resumed, but no board
counts its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from msbench import Batch, Separator

FILTERS = (16, 32, 32, 64, 64, 128, 128, 256, 256, 512, 1024)
HIGHEST_PREEMPHASIS = 0.98  # its powers are below 1e-9 after 1024 samples


class SEGAN(Separator):
    """Generator of waveforms, trained against a discriminator (Pascual et al. 2017).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz; 16000 in the paper.
        channels: Audio channels; 1 in the paper.
        filters: Channels of each layer down.
        kernel: Taps of the convolutions.
        noise: Channels of the noise; 1024 in the paper.
        slice_samples: Samples that the networks see at a time; a multiple of 2^layers.
        preemphasis: Factor of the sample before, which is subtracted; 0 for none.
        phase_shift: Most samples by which features of the discriminator are shifted in training; 0 for none.
        loss_weight: Of the recipe's loss, beside that of the discriminator.
    """

    own_training: ClassVar[bool] = True
    training_parts: ClassVar[tuple[str, ...]] = ("discriminator",)

    def __init__(
        self,
        targets: Sequence[str] = ("vocals",),
        sample_rate: int = 16000,
        channels: int = 1,
        filters: Sequence[int] = FILTERS,
        kernel: int = 31,
        noise: int = 1024,
        slice_samples: int = 16384,
        preemphasis: float = 0.95,
        phase_shift: int = 5,
        loss_weight: float = 100.0,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        _check_sizes(filters, kernel, noise, slice_samples)
        if not 0 <= preemphasis <= HIGHEST_PREEMPHASIS:
            raise ValueError(f"preemphasis must be from 0 to {HIGHEST_PREEMPHASIS}, not {preemphasis}")
        if phase_shift < 0 or loss_weight < 0:
            raise ValueError(f"phase_shift and loss_weight must be at least 0, not {phase_shift} and {loss_weight}")
        self.slice_samples = self.stride_samples = slice_samples
        self.preemphasis = preemphasis
        self.loss_weight = loss_weight
        estimated = len(self.targets) * channels
        frames = slice_samples // 2 ** len(filters)
        self.generator = Generator(channels, estimated, filters, kernel, noise)
        self.discriminator = Discriminator(estimated + channels, filters, kernel, frames, phase_shift)
        for layer in self.modules():  # as `weights_init` there, which passes over transposed convolutions
            if isinstance(layer, nn.Conv1d):
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            elif isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
        self.register_buffer("noise", torch.randn(1, noise, frames))

    def forward(self, mixture: Tensor) -> Tensor:
        batch, _, time = mixture.shape
        slices = self._slices(self.emphasize(mixture))
        noise: Tensor = self.noise  # type: ignore[assignment]
        estimates = self.generator(slices, noise.expand(len(slices), -1, -1))
        estimates = estimates.unflatten(0, (batch, -1)).transpose(1, 2).flatten(2)  # (B, S C, T)
        return self.deemphasize(estimates)[..., :time].unflatten(1, (-1, self.channels))

    def _slices(self, signals: Tensor) -> Tensor:
        """(B, C, T) to (B slices, C, slice_samples), the last ones with zeros."""
        padded = nn.functional.pad(signals, (0, -signals.shape[-1] % self.slice_samples))
        return padded.unflatten(-1, (-1, self.slice_samples)).transpose(1, 2).flatten(0, 1)

    def emphasize(self, signals: Tensor) -> Tensor:
        """x(t) - preemphasis x(t - 1), of signals (..., T)."""
        return signals - self.preemphasis * nn.functional.pad(signals, (1, 0))[..., :-1]

    def deemphasize(self, signals: Tensor) -> Tensor:
        """y(t) + preemphasis y(t - 1) + preemphasis² y(t - 2) + ..., up to 1024 terms: what `emphasize` has undone."""
        for i in range(10):  # 1 + p + p² + p³ + ... = (1 + p) (1 + p²) (1 + p⁴) ...
            signals = signals + self.preemphasis ** (2**i) * nn.functional.pad(signals, (2**i, 0))[..., : -(2**i)]
        return signals

    def optimizers(self, build: Callable[[Iterable[nn.Parameter]], Optimizer]) -> list[Optimizer]:
        """One for the generator, and one for the discriminator."""
        return [build(self.generator.parameters()), build(self.discriminator.parameters())]

    def train_on(
        self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor], optimizers: Sequence[Optimizer]
    ) -> dict[str, Tensor]:
        """A step of the discriminator and one of the generator; the loss of each."""
        of_generator, of_discriminator = optimizers
        mixture = self._slices(self.emphasize(batch.mixture))
        target = self._slices(self.emphasize(batch.references.flatten(1, 2)))
        noise: Tensor = self.noise  # type: ignore[assignment]
        estimate = self.generator(mixture, torch.randn_like(noise.expand(len(mixture), -1, -1)))

        of_discriminator.zero_grad()
        real = (self.discriminator(target, mixture) - 1).square().mean()
        fake = self.discriminator(estimate.detach(), mixture).square().mean()
        (real + fake).backward()
        of_discriminator.step()

        of_generator.zero_grad()
        adversarial = (self.discriminator(estimate, mixture) - 1).square().mean()
        regression = criterion(*(x.unflatten(1, (-1, self.channels)) for x in (estimate, target)))
        loss = adversarial + self.loss_weight * regression
        loss.backward()
        of_generator.step()
        return {"generator": loss.detach(), "discriminator": (real + fake).detach()}


def _check_sizes(filters: Sequence[int], kernel: int, noise: int, slice_samples: int) -> None:
    stride = 2 ** len(filters)
    if not filters or min(*filters, noise, 1) < 1:
        raise ValueError(
            f"filters must be one or more numbers of at least 1 and noise at least 1, not {filters}, {noise}"
        )
    if kernel < 3 or kernel % 2 == 0:
        raise ValueError(f"kernel must be odd and at least 3, not {kernel}")
    if slice_samples < 1 or slice_samples % stride or 2 * slice_samples // stride <= kernel // 2:
        least = stride * (kernel // 4 + 1)  # the mirrored ends of the innermost layer must fit into it
        raise ValueError(
            f"slice_samples must be a multiple of {stride} and at least {least} for {len(filters)} layers with a "
            f"kernel of {kernel}, not {slice_samples}"
        )


def _down(channels_in: int, channels_out: int, kernel: int) -> nn.Conv1d:
    return nn.Conv1d(channels_in, channels_out, kernel, 2)


def _mirrored(x: Tensor, kernel: int) -> Tensor:
    return nn.functional.pad(x, (kernel // 2 - 1, kernel // 2), mode="reflect")


class Generator(nn.Module):
    """The encoder and decoder; plain skip connections of the layers down before their PReLU."""

    def __init__(self, channels_in: int, channels_out: int, filters: Sequence[int], kernel: int, noise: int) -> None:
        super().__init__()
        self.kernel = kernel
        widths = [channels_in, *filters]
        self.down = nn.ModuleList(_down(a, b, kernel) for a, b in zip(widths[:-1], filters, strict=True))
        self.down_activations = nn.ModuleList(nn.PReLU(width, init=0) for width in filters)
        ups = [*filters[-2::-1], channels_out]
        inputs = [filters[-1] + noise, *(2 * width for width in ups[:-1])]
        self.up = nn.ModuleList(
            nn.ConvTranspose1d(a, b, kernel, 2, kernel // 2 - 1) for a, b in zip(inputs, ups, strict=True)
        )
        self.up_activations = nn.ModuleList([*(nn.PReLU(width, init=0) for width in ups[:-1]), nn.Tanh()])

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """(B, channels_in, T) and noise (B, noise, T / 2^layers) to (B, channels_out, T)."""
        skips = []
        for convolution, activation in zip(self.down, self.down_activations, strict=True):
            linear = convolution(_mirrored(x, self.kernel))
            skips.append(linear)
            x = activation(linear)
        x = torch.cat([noise, x], 1)
        for i, (convolution, activation) in enumerate(zip(self.up, self.up_activations, strict=True)):
            x = x if i == 0 else torch.cat([x, skips[-1 - i]], 1)
            x = activation(convolution(x)[..., :-1])
        return x


class Discriminator(nn.Module):
    """One value for each pair: near 1 where it takes the first signal for the true target of the second."""

    def __init__(self, channels: int, filters: Sequence[int], kernel: int, frames: int, phase_shift: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.phase_shift = phase_shift
        self.convolutions = nn.ModuleList(
            nn.Sequential(_down(a, b, kernel), nn.BatchNorm1d(b), nn.PReLU(b, init=0))
            for a, b in zip([channels, *filters[:-1]], filters, strict=True)
        )
        self.last = nn.Sequential(
            nn.Linear(frames * filters[-1], 256), nn.PReLU(256), nn.Linear(256, 128), nn.PReLU(128), nn.Linear(128, 1)
        )

    def forward(self, target: Tensor, mixture: Tensor) -> Tensor:
        """(B, S C, T) and (B, C, T) to (B, 1)."""
        x = torch.cat([target, mixture], 1)
        for layer in self.convolutions:
            if self.training and self.phase_shift:
                shift = int(torch.randint(1, self.phase_shift + 1, ()))
                x = x.roll(shift if torch.rand(()) > 0.5 else -shift, -1)
            x = layer(_mirrored(x, self.kernel))
        return self.last(x.flatten(1))
