"""How a model is called on chunks: in batches of one length, in evaluation mode, with channels adapted around it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from msbench.audio.streams import Placed
from msbench.model.separator import Separator
from msbench.separation.model_calls import adaptation, estimates_of, evaluating


class Twice(Separator):
    """Each target is twice the mixture; says what it was given."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__(["a", "b"], 1000, channels)
        self.dropout = torch.nn.Dropout()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, mixture: Tensor) -> Tensor:
        self.shapes.append(tuple(mixture.shape))
        return 2 * mixture[:, None].repeat(1, 2, 1, 1)


def pieces(*lengths: int, channels: int = 2) -> Iterator[Placed]:
    start = 0
    for length in lengths:
        yield start, np.full((1, channels, length), start + 1, np.float32)
        start += length


def test_chunks_of_one_length_share_a_batch() -> None:
    model = Twice()
    placed = list(estimates_of(model, pieces(10, 10, 10, 7), 2, torch.device("cpu")))
    assert model.shapes == [(2, 2, 10), (1, 2, 10), (1, 2, 7)]
    assert [start for start, _ in placed] == [0, 10, 20, 30]
    for start, estimate in placed:
        assert estimate.shape[:2] == (2, 2)
        assert (estimate == 2 * (start + 1)).all()


@pytest.mark.parametrize(("inside", "outside"), [(1, 5), (2, 1), (2, 2)])
def test_estimates_have_the_channels_of_the_audio(inside: int, outside: int) -> None:
    model = Twice(inside)
    (_, estimate), *_ = estimates_of(model, pieces(10, channels=outside), 1, torch.device("cpu"))
    assert estimate.shape == (2, outside, 10)
    assert (estimate == 2).all()
    assert model.shapes[0][1] == inside


def test_nan_is_told_with_its_place() -> None:
    class Broken(Twice):
        def forward(self, mixture: Tensor) -> Tensor:
            return super().forward(mixture) * (torch.nan if mixture.max() > 1 else 1)

    with pytest.raises(ValueError, match=r"Broken gave NaN or infinite samples from 0\.5 s on: its weights are broken"):
        list(estimates_of(Broken(), pieces(500, 500), 1, torch.device("cpu")))


def test_each_part_of_a_model_gets_its_mode_back() -> None:
    model = Twice().train()
    model.dropout.eval()
    with evaluating(model, None) as device:
        assert device == torch.device("cpu")
        assert not model.training
    assert model.training
    assert not model.dropout.training


def test_what_is_done_around_a_model() -> None:
    assert adaptation(Twice(), 1000, 2) == {}
    assert adaptation(Twice(1), 44100, 5) == {
        "resampled": "44100 -> 1000 -> 44100 Hz",
        "channels": "each of 5 channels by itself",
    }
    assert adaptation(Twice(), 1000, 1) == {"channels": "copied to 2 channels, estimates averaged"}
    with pytest.raises(ValueError, match="works on 2 channels and the audio has 6: mix it to 1 or 2 channels first"):
        adaptation(Twice(), 1000, 6)


def test_a_model_that_compares_channels_is_given_no_mono_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Twice, "stereo_only", True)
    assert adaptation(Twice(), 1000, 2) == {}
    with pytest.raises(ValueError, match="Twice compares the channels of stereo audio, and this is mono"):
        adaptation(Twice(), 1000, 1)
