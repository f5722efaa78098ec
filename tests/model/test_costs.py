"""Parameters and MACs per second: of a layer whose count is known by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import msbench
from msbench.model.costs import macs_per_second, parameter_count
from msbench.model.separator import Separator


class Conv(Separator):
    """One convolution: 9 multiply-accumulates per sample and output channel."""

    def __init__(self) -> None:
        super().__init__(["a", "b"], 8000, 1)
        self.conv = torch.nn.Conv1d(1, 2, 9, padding=4)

    def forward(self, mixture: Tensor) -> Tensor:
        return self.conv(mixture)[:, :, None]


class Segments(Conv):
    """The same on whole segments of 6000 samples."""

    def forward(self, mixture: Tensor) -> Tensor:
        time = mixture.shape[-1]
        return super().forward(torch.nn.functional.pad(mixture, (0, -time % 6000)))[..., :time]


class Recurrent(Separator):
    """One GRU of 4 units: 3 gates of 4 units, each of which reads the sample and 4 units."""

    def __init__(self) -> None:
        super().__init__(["a"], 8000, 1)
        self.gru = torch.nn.GRU(1, 4, batch_first=True)

    def forward(self, mixture: Tensor) -> Tensor:
        return self.gru(mixture.transpose(1, 2))[0].mean(-1)[:, None, None]


class Judged(Conv):
    """Its critic is for training alone."""

    training_parts = ("critic",)

    def __init__(self) -> None:
        super().__init__()
        self.critic = torch.nn.Linear(100, 1)


def test_parts_that_training_alone_needs_are_not_counted() -> None:
    assert parameter_count(Judged()) == parameter_count(Conv()) == 2 * 9 + 2


def test_counts_by_hand() -> None:
    model = Conv().train()
    assert macs_per_second(model) == pytest.approx(8000 * 2 * 9)
    assert model.training
    assert macs_per_second(Segments()) == pytest.approx(8000 * 2 * 9, rel=0.3)
    assert macs_per_second(Recurrent()) == pytest.approx(8000 * 3 * 4 * 5)


def test_an_oracle_has_no_costs() -> None:
    assert macs_per_second(msbench.load("oracle_irm")) is None


def test_parameters_are_counted() -> None:
    assert parameter_count(Conv()) == 2 * 9 + 2  # weights and biases


def test_of_a_model_without_parameters_that_learns_by_itself_what_it_keeps_is_counted() -> None:
    model = msbench.load("nmf", targets=["a", "b"], window_samples=64, hop_samples=32, components=3)
    assert parameter_count(model) == 2 * 3 * 33
