"""How a model is called on chunks: in batches of one length, in evaluation mode, with channels adapted around it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from msbench.model.separator import Separator
from msbench.separation.chunks import Piece
from msbench.separation.inference import DEFAULTS, Inference
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


def pieces(*lengths: int, channels: int = 2) -> Iterator[Piece]:
    start = 0
    for length in lengths:
        yield Piece(start, np.full((1, channels, length), start + 1, np.float32), 0, length)
        start += length


def test_chunks_of_one_length_share_a_batch() -> None:
    model = Twice()
    placed = list(estimates_of(model, pieces(10, 10, 10, 7), Inference(batch_size=2), torch.device("cpu")))
    assert model.shapes == [(2, 2, 10), (1, 2, 10), (1, 2, 7)]
    assert [start for start, _ in placed] == [0, 10, 20, 30]
    for start, estimate in placed:
        assert estimate.shape[:2] == (2, 2)
        assert (estimate == 2 * (start + 1)).all()


@pytest.mark.parametrize(("inside", "outside"), [(1, 5), (2, 1), (2, 2)])
def test_estimates_have_the_channels_of_the_audio(inside: int, outside: int) -> None:
    model = Twice(inside)
    (_, estimate), *_ = estimates_of(model, pieces(10, channels=outside), DEFAULTS, torch.device("cpu"))
    assert estimate.shape == (2, outside, 10)
    assert (estimate == 2).all()
    assert model.shapes[0][1] == inside


def test_nan_is_told_with_its_place() -> None:
    class Broken(Twice):
        def forward(self, mixture: Tensor) -> Tensor:
            return super().forward(mixture) * (torch.nan if mixture.max() > 1 else 1)

    with pytest.raises(ValueError, match=r"Broken gave NaN or infinite samples from 0\.5 s on: its weights are broken"):
        list(estimates_of(Broken(), pieces(500, 500), DEFAULTS, torch.device("cpu")))


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


CPU = torch.device("cpu")


def test_as_many_chunks_as_fit_are_found_at_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk takes a mebibyte by the process's highest; half of what is free holds three."""
    monkeypatch.setattr("msbench.separation.model_calls.resident_bytes", lambda: 10 * 2**20)
    monkeypatch.setattr("msbench.separation.model_calls.peak_bytes", lambda: 11 * 2**20)
    for free, shapes in ((6 * 2**20, [1, 3, 3, 2]), (0, [1] * 9), (None, [1] * 9), (2**40, [1, 8])):
        monkeypatch.setattr("msbench.separation.model_calls.free_bytes", lambda free=free: free)
        model = Twice()
        found = list(estimates_of(model, pieces(*[10] * 9), Inference(batch_size="auto"), CPU))
        assert [shape[0] for shape in model.shapes] == shapes
        assert [start for start, _ in found] == [*range(0, 90, 10)]


class Sums(Twice):
    """Its estimate is a product of matrices, which autocast takes in lower precision."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Conv1d(2, 2, 65, padding=32)

    def forward(self, mixture: Tensor) -> Tensor:
        self.dtype = self.layer(mixture).dtype
        estimate: Tensor = self.layer(mixture)
        return estimate[:, None].repeat(1, 2, 1, 1)


def test_bf16_is_by_autocast_and_gives_floats() -> None:
    model = Sums()
    song = [Piece(0, np.random.default_rng(0).normal(size=(1, 2, 300)).astype(np.float32), 0, 300)]
    ((_, exact),) = estimates_of(model, song, DEFAULTS, CPU)
    ((_, found),) = estimates_of(model, song, Inference(precision="bf16"), CPU)
    assert model.dtype == torch.bfloat16
    assert found.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < 0.05 * np.abs(exact).max()
    assert model.layer.weight.dtype == torch.float32


def test_fp16_is_not_for_the_cpu() -> None:
    with pytest.raises(ValueError, match="fp16 is a precision of GPUs, and the device is the CPU: use bf16 or float32"):
        Inference(precision="fp16", device="cpu")
    with pytest.raises(ValueError, match="fp16 is a precision of GPUs"):  # known once the model says where it is
        list(estimates_of(Twice(), pieces(10), Inference(precision="fp16"), CPU))


def test_a_model_that_cannot_be_run_so_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> Tensor:
        return torch.ones(2, 3) @ torch.ones(2, 3)

    monkeypatch.setattr(Twice, "forward", fail)
    with pytest.raises(ValueError, match=r"Twice cannot be run at bf16 on cpu \(.*\): use float32"):
        list(estimates_of(Twice(), pieces(10), Inference(precision="bf16"), CPU))
    monkeypatch.setattr("msbench.separation.model_calls.torch.compile", lambda model: model)
    with pytest.raises(ValueError, match=r"Twice cannot be compiled by torch.compile on cpu \(.*\): leave compile out"):
        list(estimates_of(Twice(), pieces(10), Inference(compile=True), CPU))
    with pytest.raises(RuntimeError):  # without either, it is the model's own error
        list(estimates_of(Twice(), pieces(10), DEFAULTS, CPU))


def test_a_model_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Twice] = []

    def compile(model: Twice) -> Twice:
        compiled.append(model)
        return model

    monkeypatch.setattr("msbench.separation.model_calls.torch.compile", compile)
    model = Twice()
    for _ in range(3):
        list(estimates_of(model, pieces(10, 10), Inference(compile=True), CPU))
    list(estimates_of(model, pieces(10, 10), DEFAULTS, CPU))
    assert compiled == [model]
