"""Several models whose estimates are averaged, as Demucs publishes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from msbench.model.separator import Separator


class Bag(Separator):
    """Models of the same targets, rate and channels, whose estimates are averaged with weights per target.

    With the window "triangle", a model that pads its input is given the audio around a chunk in the place of zeros.
    Where its models pad by different lengths, a bag is given further samples around each chunk, more than a chunk has,
    so that it can tell from the length of its input how long the chunk is, and what each model is to be given.

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
        self.further = self._further_samples(members)  # around each chunk, that it is given
        shares = torch.tensor(mix, dtype=torch.float32)
        self.register_buffer("shares", shares / shares.sum(0))

    def _further_samples(self, members: Sequence[Separator]) -> int | None:
        whole = self.chunk_samples
        if whole is None or len({member.padded_length(whole) for member in members}) == 1:
            return None
        return max(
            whole, *(member.padded_length(1) for member in members)
        )  # no chunk is padded by more than the latter

    def padded_length(self, time: int) -> int:
        """As its models pad, whatever the length of chunks is: the last ones of a song may be shorter."""
        if self.further is not None:
            return time + self.further
        return max(member.padded_length(time) for member in self.members)  # type: ignore[operator]

    def forward(self, mixture: Tensor) -> Tensor:
        further = self.further if self.further and mixture.shape[-1] > self.further else 0
        time, before = mixture.shape[-1] - further, further // 2
        total = torch.zeros(())
        for member, share in zip(self.members, self.get_buffer("shares"), strict=True):
            padding = member.padded_length(time) - time if further else 0  # type: ignore[operator]
            first = before - padding // 2
            estimates = member(mixture[..., first : first + time + padding] if further else mixture)
            total = total.to(mixture) + estimates[..., padding // 2 :][..., :time] * share[:, None, None]
        return functional.pad(total, (before, further - before))


def _asked_of(model: Separator) -> tuple[object, ...]:
    return model.targets, model.sample_rate, model.channels, model.chunk_samples, model.normalizes_songs
