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
    """The mixture divided by the number of targets, as each estimate; of vocals and accompaniment, 1/4 and 3/4.

    So does SiSEC 2018's MIX (MIX.py of sigsep/sigsep-mus-oracle, commit 1590b09): a quarter for each of the four stems,
    of which the accompaniment has three. Records from before this was so (revision 1) have one half for each
    of these two targets; delete such a record to have it made again.
    """

    revision = 2

    def forward(self, mixture: Tensor) -> Tensor:
        shares = mixture.new_full((len(self.targets),), 1 / len(self.targets))
        if sorted(self.targets) == ["accompaniment", "vocals"]:
            shares = mixture.new_tensor([0.75 if target == "accompaniment" else 0.25 for target in self.targets])
        return super().forward(mixture) * shares[:, None, None]
