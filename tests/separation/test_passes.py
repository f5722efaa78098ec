"""Several passes over one song: what each is given, and the mean of what they give."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from msbench.model.separator import Separator
from msbench.separation.inference import Inference
from msbench.separation.passes import Pass, averaged, passes_of
from msbench.separation.pipeline import separate
from tests.plugins.weights import noise

RATE = 1000


class Written(Separator):
    """Keeps what it is given; its estimate is a function of it."""

    def __init__(self, estimate: Any = lambda mixture: mixture, channels: int = 2) -> None:
        super().__init__(["vocals"], RATE, channels)
        self.estimate, self.given = estimate, list[Tensor]()

    def forward(self, mixture: Tensor) -> Tensor:
        self.given.append(mixture.clone())
        estimate: Tensor = self.estimate(mixture)
        return estimate.unsqueeze(1)


def test_shifts_put_silence_of_up_to_half_a_second_before_the_song() -> None:
    model, mixture = Written(), noise(2, 400)
    separate(model, mixture, RATE, shifts=4)
    drawn = random.Random(0)
    delays = [500 - drawn.randint(0, 500) for _ in range(4)]
    assert [each.delay for each in passes_of(model, 2, Inference(shifts=4))] == delays
    assert len(set(delays)) == 4
    for delay, given in zip(delays, model.given, strict=True):
        assert torch.equal(given[0], torch.nn.functional.pad(mixture, (delay, 0)))


def test_the_mean_is_that_of_the_shifted_estimates() -> None:
    ramp = torch.arange(2000.0)
    model, mixture = Written(lambda mixture: mixture * ramp[: mixture.shape[-1]]), noise(2, 700)
    found = separate(model, mixture, RATE, shifts=3)["vocals"]
    delays = [each.delay for each in passes_of(model, 2, Inference(shifts=3))]
    expected = sum(mixture * ramp[delay : delay + 700] for delay in delays) / 3
    torch.testing.assert_close(found, expected)
    assert torch.equal(separate(model, mixture, RATE, shifts=3)["vocals"], found)


@pytest.mark.parametrize(
    ("tta", "estimate", "expected"),
    [
        (["polarity"], lambda x: x.clamp(min=0), lambda x: x / 2),  # the mean of the two half waves
        (["swap"], lambda x: x * torch.tensor([[1.0], [0.0]]), lambda x: x / 2),  # of the left and of the right
        (["swap", "polarity"], lambda x: 3 * x + 3, lambda x: 3 * x + 1),  # 3x + 3, 3x - 3, 3x + 3
    ],
)
def test_augmentations_are_undone_and_averaged(tta: list[str], estimate: Any, expected: Any) -> None:
    mixture = noise(2, 300)
    found = separate(Written(estimate), mixture, RATE, tta=tta)["vocals"]
    torch.testing.assert_close(found, expected(mixture))


def test_each_augmentation_is_done_for_all_shifts() -> None:
    model = Written()
    assert len(passes_of(model, 2, Inference(shifts=2, tta=("polarity", "swap")))) == 6
    separate(model, noise(2, 300), RATE, shifts=2, tta=["swap", "polarity"])
    assert len(model.given) == 6


def test_channels_that_are_not_two_cannot_be_exchanged() -> None:
    for inside, outside in ((1, 2), (2, 1), (1, 1)):
        with pytest.raises(ValueError, match=f"the audio has {outside} channel.*Written takes {inside} at a time"):
            separate(Written(channels=inside), noise(outside, 100), RATE, tta=["swap"])


def test_passes_go_side_by_side() -> None:
    taken = 0

    def song() -> Any:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield np.full((1, 2, 10), number, np.float32)

    given = 0
    for block in averaged(song(), [Pass(), Pass(7), Pass(15, "swap")], lambda blocks: blocks):
        np.testing.assert_array_equal(block[0, 0], np.arange(given, given + block.shape[-1]) // 10)
        given += block.shape[-1]
        assert 10 * taken - given <= 40
    assert given == 1000


def test_a_model_of_songs_is_shifted_too() -> None:
    class Whole(Written):
        chunking = "song"

    model, mixture = Whole(), noise(2, 3000)
    found = separate(model, mixture, RATE, shifts=2, tta=["polarity"], chunk_seconds=0.5, window="hann", overlap=0.9)
    assert torch.equal(found["vocals"], mixture)
    assert all(given.shape[-1] >= 3000 for given in model.given)
    assert len(model.given) == 4
