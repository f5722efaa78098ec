"""Several models whose estimates are averaged, as Demucs publishes them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from msbench.model.separator import Separator


class Bag(Separator):
    """Models of the same targets, rate and channels, whose estimates are averaged with weights per target.

    Args:
        members: The models.
        mix: Weights of the average, a row per model and a number per target.
        chunk_seconds: Length of the chunks of a separation, of models that do not have one of their own.

    Raises:
        ValueError: If the models differ in targets, rate or channels.
    """

    shares: Tensor  # (M, S)

    def __init__(
        self, members: Sequence[Separator], mix: Sequence[Sequence[float]], chunk_seconds: float | None = None
    ) -> None:
        first = members[0]
        super().__init__(first.targets, first.sample_rate, first.channels)
        own = (self.targets, self.sample_rate, self.channels)
        if any((member.targets, member.sample_rate, member.channels) != own for member in members):
            raise ValueError("models of other targets, rates or channels have no average")
        if chunk_seconds is not None:
            self.chunk_samples = round(chunk_seconds * self.sample_rate)
        self.members = nn.ModuleList(members)
        shares = torch.tensor(mix, dtype=torch.float32)
        self.register_buffer("shares", shares / shares.sum(0))

    def combines(self) -> Sequence[Separator]:
        return [member for member in self.members if isinstance(member, Separator)]

    def combined(self, estimates: Sequence[Tensor]) -> Tensor:
        return torch.einsum("m...sct,ms->...sct", torch.stack([*estimates]), self.shares)

    def forward(self, mixture: Tensor) -> Tensor:
        return self.combined([member(mixture) for member in self.combines()])
