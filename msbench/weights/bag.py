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
        ValueError: If the models differ in targets, rate, channels, chunks or normalization.
    """

    def __init__(
        self, members: Sequence[Separator], mix: Sequence[Sequence[float]], chunk_seconds: float | None = None
    ) -> None:
        first = members[0]
        super().__init__(first.targets, first.sample_rate, first.channels)
        for member in members:
            if _asked_of(member) != _asked_of(first):
                raise ValueError("models of other targets, rates, channels, chunks or normalizations have no average")
        self.members = nn.ModuleList(members)
        self.normalizes_songs = first.normalizes_songs
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


def _asked_of(model: Separator) -> tuple[object, ...]:
    return model.targets, model.sample_rate, model.channels, model.chunk_samples, model.normalizes_songs
