"""Conditioned U-Net: Meseguer-Brocal & Peeters, "Conditioned-U-Net: Introducing a control mechanism in the U-Net for
multiple source separations", ISMIR 2019.

As in the paper and in the authors' code (gabolsgabs/cunet, cunet/train/models): one U-Net (`msbench.ConvUNet`) for all
targets; in each block down the output of the batch normalization is modulated, gamma * x + beta (FiLM), with gamma and
beta from a dense control network that reads the one-hot of a target. FiLM is simple (one gamma and beta per block) or
complex (one per feature map). A training step draws one target per item.

Differences:

- The control network gives gamma - 1. In evaluation mode, a new network is nearly the plain U-Net: gamma - 1 and beta
  are below 0.2. In training mode the dropout and the batch normalization of the control network spread them (standard
  deviation 0.3 with simple FiLM, 0.6 with complex). In the authors' code a new gamma is near zero.
- The control network reads all targets at once, so that its batch normalization sees each equally often. With a single
  target it has none, for one row has no variance.
- The dropout of the U-Net is that of Jansson et al. 2017: after the ReLU, in the first three layers up. The authors'
  code drops before the ReLU, in layers 2 to 4.
- The authors' code normalizes once more before the last sigmoid: `last_norm: true`. Its layers are TensorFlow's, its
  weights begin as N(0, 0.02): `layers: tensorflow`, `initialization: normal`. The recipe sets the first and the last.
- The hop is 768, which we take for the paper's (unverified); the authors' code has 256 (cunet/preprocess/config.py).
- Magnitudes are scaled as for `unet`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, Batch, ConvUNet, SpectrogramSeparator, initialize

CONTROLS = {"simple": (16, 64, 256), "complex": (16, 256, 1024)}  # units of the dense layers (table 2)


class FiLMUNet(SpectrogramSeparator):
    """One U-Net for all targets, modulated by which one is asked for (Meseguer-Brocal & Peeters 2019).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz; 8192 in the paper.
        channels: Audio channels; 1 in the paper.
        window_samples, hop_samples: The STFT; 1024 and 768 in the paper.
        depth: Number of layers down, 3 to 6; 6 in the paper.
        filters: Channels of the first layer, doubled by each further one; 16 in the paper.
        dropout: In the first three layers up, and in the control network; 0.5 in the paper.
        film: `simple` or `complex`.
        last_norm: Whether there is a batch normalization before the sigmoid of the mask, as in the authors' code.
        layers: `torch`, or `tensorflow` for its padding and epsilon (see `msbench.ConvUNet`).
        initialization: `torch`, or `normal` for weights from N(0, 0.02) (see `msbench.initialize`).
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    whole_loss: ClassVar[bool] = False

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 8192,
        channels: int = 1,
        window_samples: int = 1024,
        hop_samples: int = 768,
        depth: int = 6,
        filters: int = 16,
        dropout: float = 0.5,
        film: str = "simple",
        last_norm: bool = False,
        layers: str = "torch",
        initialization: str = "torch",
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if film not in CONTROLS:
            raise ValueError(f"film must be one of {', '.join(CONTROLS)}, not '{film}'")
        self.unet = ConvUNet(channels, channels, depth, filters, dropout, layers=layers)
        eps = 1e-3 if layers == "tensorflow" else 1e-5
        self.last_norm = nn.BatchNorm2d(channels, eps) if last_norm else nn.Identity()
        self.stride_samples = hop_samples * self.unet.stride
        self.widths = [filters * 2**i if film == "complex" else 1 for i in range(depth)]
        self.control = _control(len(self.targets), CONTROLS[film], dropout, 2 * sum(self.widths), eps)
        initialize(self, initialization)

    def mask(self, spectrogram: Tensor) -> Tensor:
        return self._mask(spectrogram, None)

    def _mask(self, spectrogram: Tensor, drawn: Tensor | None) -> Tensor:
        """Masks of all targets (B, S, C, F, N), or of the one drawn for each item (B, 1, C, F, N)."""
        count = len(self.targets) if drawn is None else 1
        onehot = torch.eye(len(self.targets), device=spectrogram.device)
        films = self.control(onehot).split([2 * width for width in self.widths], 1)  # for each layer (S, 2 width)

        def modulate(layer: int, x: Tensor) -> Tensor:
            if layer == 0 and drawn is None:  # what comes before the first modulation is shared by all targets
                x = x.repeat_interleave(count, 0)
            film = films[layer].repeat(len(x) // count, 1) if drawn is None else films[layer][drawn]
            scale, shift = film[:, :, None, None].chunk(2, 1)
            return x * (1 + scale) + shift

        x = self.last_norm(self.unet(spectrogram[:, :, :-1], modulate))
        x = nn.functional.pad(x, (0, 0, 0, 1), mode="replicate")
        return x.unflatten(0, (-1, count)).sigmoid()

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Tensor | Mapping[str, Tensor]:
        """In training of one drawn target an item, else of all."""
        if not self.training:
            return super().loss(batch, criterion)
        items = torch.arange(len(batch.mixture), device=batch.mixture.device)
        drawn = torch.randint(len(self.targets), items.shape, device=items.device)
        references = batch.references[items, drawn].unsqueeze(1)
        spectrum = self.stft(batch.mixture)
        return self.masked_loss(self._mask(spectrum.abs(), drawn), spectrum, references, criterion)


def _control(targets: int, units: Sequence[int], dropout: float, outputs: int, eps: float) -> nn.Sequential:
    """One-hots (S, targets) to gamma - 1 and beta of every layer (S, outputs)."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip((targets, *units[:-1]), units, strict=True)):
        layers += [nn.Linear(a, b), nn.ReLU()]
        if i > 0:
            layers += [nn.Dropout(dropout), nn.BatchNorm1d(b, eps) if targets > 1 else nn.Identity()]
    last = nn.Linear(units[-1], outputs)
    nn.init.normal_(last.weight, std=0.02)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)
