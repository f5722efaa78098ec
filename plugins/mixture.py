"""The two floors of every board: what the mixture itself scores, as it is and shared out."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from msbench import MUSDB_TARGETS, Separator


class Mixture(Separator):
    """The mixture as the estimate of each target."""

    trainable = False
    role = "floor"

    def __init__(self, targets: Sequence[str] = MUSDB_TARGETS, sample_rate: int = 44100, channels: int = 2) -> None:
        super().__init__(targets, sample_rate, channels)

    def forward(self, mixture: Tensor) -> Tensor:
        return mixture.unsqueeze(1).repeat(1, len(self.targets), 1, 1)


class MixtureShare(Mixture):
    """The mixture divided by the number of targets, as each estimate (SiSEC 2018's MIX behaves like this one)."""

    def forward(self, mixture: Tensor) -> Tensor:
        return super().forward(mixture) / len(self.targets)
