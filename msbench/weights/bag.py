"""Several models whose estimates are averaged, as Demucs publishes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from msbench.model.separator import Separator


class Bag(Separator):
    """Models of the same targets, rate and channels, whose estimates are averaged with weights per target.

    Args:
        members: The models.
        mix: Weights of the average, a row per model and a number per target.
        chunk_seconds: Length of all chunks of a separation; what the models ask for when None.

    Raises:
        ValueError: If the models differ in targets, rate, channels or chunks.
    """

    def __init__(
        self, members: Sequence[Separator], mix: Sequence[Sequence[float]], chunk_seconds: float | None = None
    ) -> None:
        first = members[0]
        super().__init__(first.targets, first.sample_rate, first.channels)
        for member in members:
            asked = (member.targets, member.sample_rate, member.channels, member.chunk_samples)
            if asked != (first.targets, first.sample_rate, first.channels, first.chunk_samples):
                raise ValueError("models of other targets, rates, channels or chunks have no average")
        self.members = nn.ModuleList(members)
        self.stride_samples = math.lcm(*(member.stride_samples for member in members))
        self.chunk_samples = first.chunk_samples if chunk_seconds is None else round(chunk_seconds * self.sample_rate)
        shares = torch.tensor(mix, dtype=torch.float32)
        self.register_buffer("shares", shares / shares.sum(0))

    def padded_length(self, time: int) -> int:
        """As its models pad, whatever the length of chunks is: the last ones of a song may be shorter."""
        return max(member.padded_length(time) for member in self.members)  # type: ignore[operator]

    def forward(self, mixture: Tensor) -> Tensor:
        total = torch.zeros(())
        for member, share in zip(self.members, self.get_buffer("shares"), strict=True):
            total = total.to(mixture) + member(mixture) * share[:, None, None]
        return total
