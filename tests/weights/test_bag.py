"""The average of several models; Demucs's own is compared in test_demucs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from msbench.model.separator import Separator
from msbench.weights.bag import Bag


class Times(Separator):
    def __init__(self, factor: float, rate: int = 100, stride: int = 1, chunk: int | None = None) -> None:
        super().__init__(["a", "b"], rate, 1)
        self.factor, self.stride_samples, self.chunk_samples = factor, stride, chunk

    def forward(self, mixture: Tensor) -> Tensor:
        return self.factor * mixture.unsqueeze(1).expand(-1, 2, -1, -1)


def test_each_target_has_its_weights() -> None:
    bag = Bag([Times(1, stride=4, chunk=8), Times(5, stride=6, chunk=8)], [[1, 0], [1, 2]])
    assert bag(torch.ones(1, 1, 3))[0, :, 0, 0].tolist() == [3, 5]
    assert (bag.stride_samples, bag.chunk_samples) == (12, 8)
    assert Bag([Times(1)], [[1, 1]], 0.5).chunk_samples == 50
    assert list(bag.state_dict()) == ["shares"]  # so that what is kept of its outputs depends on them


@pytest.mark.parametrize("other", [Times(1, rate=200), Times(1, chunk=8)])
def test_models_that_do_not_fit(other: Separator) -> None:
    with pytest.raises(ValueError, match="have no average"):
        Bag([Times(1), other], [[1, 1], [1, 1]])
