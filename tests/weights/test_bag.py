"""The average of several models; Demucs's own is compared in test_demucs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

import msbench
from msbench.model.separator import Separator
from msbench.weights.bag import Bag


class Times(Separator):
    def __init__(self, factor: float, rate: int = 100, targets: Sequence[str] = ("a", "b")) -> None:
        super().__init__(targets, rate, 1)
        self.factor = factor

    def forward(self, mixture: Tensor) -> Tensor:
        return self.factor * mixture.unsqueeze(1).expand(-1, 2, -1, -1)


def test_each_target_has_its_weights() -> None:
    bag = Bag([Times(1), Times(5)], [[1, 0], [1, 2]])
    assert bag(torch.ones(2, 1, 3))[:, :, 0, 0].tolist() == [[3, 5], [3, 5]]
    stems = msbench.separate(bag, torch.ones(1, 1000), 100)
    assert {name: set(stem.flatten().tolist()) for name, stem in stems.items()} == {"a": {3.0}, "b": {5.0}}
    assert Bag([Times(1)], [[1, 1]], 0.5).chunk_samples == 50
    assert list(bag.state_dict()) == ["shares"]  # so that what is kept of its outputs depends on them


class Seeing(Times):
    """Pads to multiples of 8, and keeps what it was given."""

    def padded_length(self, time: int) -> int:
        return -(-time // 8) * 8

    def forward(self, mixture: Tensor) -> Tensor:
        self.given = mixture
        return super().forward(mixture)


def test_models_that_pad_by_other_lengths_are_given_their_own_surroundings() -> None:
    padding, plain = Seeing(1), Times(3)
    bag, song = Bag([padding, plain], [[1, 1], [1, 0]], 0.2), torch.arange(1.0, 101).view(1, 100)
    stems = msbench.separate(bag, song, 100, window="triangle")
    assert torch.allclose(stems["a"], 2 * song)
    assert torch.allclose(stems["b"], song)
    assert padding.given.flatten().tolist() == [*range(88, 101), 0, 0, 0]  # of the last chunk, 91 to 100
    msbench.separate(bag, song, 100)
    assert padding.given.shape[-1] == 20  # other windows give chunks as they are, 0.2 s


@pytest.mark.parametrize("other", [Times(1, rate=200), Times(1, targets=("b", "a"))])
def test_models_that_do_not_fit(other: Separator) -> None:
    with pytest.raises(ValueError, match="have no average"):
        Bag([Times(1), other], [[1, 1], [1, 1]])
