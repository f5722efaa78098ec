"""A checkpoint's options ask for a model of any size, or for work without end: only what the file holds is built."""

from __future__ import annotations

import functools
import resource
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from msbench.model import rebuilding
from msbench.model.checkpoints import KEY, Checkpoint, create
from msbench.system.memory import limited_memory, peak_bytes
from msbench.system.names import LONGEST_PATH

PLUGIN = '''
"""A model whose options drive its constructor in each way."""
import functools
import torch
from torch import nn
from msbench import Separator


@functools.cache
def cached():
    return torch.ones(3)


class Greedy(Separator):
    """One convolution."""

    def __init__(self, targets: list[str] = ("voice",), sample_rate: int = 8000, channels: int = 1, width: int = 3,
                 window: int = 4, loops: int = 0, values: int = 0, data: bool = False, keeps: bool = False):
        super().__init__(targets, sample_rate, channels)
        self.conv = nn.Conv1d(channels, channels, width, padding="same")
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.values = [0] * values
        for _ in range(loops):
            pass
        if data:
            self.scale = torch.ones(width).sum().item()
        if keeps:
            self.register_buffer("kept", cached(), persistent=False)

    def forward(self, mixture):
        return self.conv(mixture)[:, None]
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "greedy.py").write_text(PLUGIN)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "greedy.py"))
    return tmp_path


def write(folder: Path, weights: dict[str, Any] | None = None, **options: Any) -> Checkpoint:
    """A checkpoint of the model as it is by default, which claims other options."""
    model = create("greedy", {})
    held = {f"separator.{name}": value for name, value in (weights or model.state_dict()).items()}
    torch.save({KEY: {"name": "greedy", "options": options}, "state_dict": held}, folder / "odd.ckpt")
    return Checkpoint.read(folder / "odd.ckpt")


def test_a_model_is_built_as_before(here: Path) -> None:
    held = write(here, window=8)
    before = torch.get_rng_state()
    create("greedy", {"window": 8})
    expected = torch.get_rng_state()
    torch.set_rng_state(before)
    model = held.separator()
    assert torch.equal(torch.get_rng_state(), expected)  # the outline draws nothing
    assert torch.equal(model.window, torch.hann_window(8))
    assert {tensor.device.type for tensor in (*model.parameters(), *model.buffers())} == {"cpu"}
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY


def test_weights_of_a_huge_model_are_compared_before_it_is_built(here: Path) -> None:
    with pytest.raises(ValueError, match=r"conv.weight is 1x1x3 in the file and 1x1x1000000000001 in the model"):
        write(here, width=10**12 + 1).separator()


def test_what_no_file_holds_is_bounded_by_it(here: Path) -> None:
    with pytest.raises(ValueError, match=r"odd.ckpt: with its options, the model has 1,000,000,000,00. values, and "):
        write(here, window=10**12).separator()


def test_weights_that_claim_more_than_the_file_holds(here: Path) -> None:
    weights = {"conv.weight": torch.zeros(1).expand(1, 1, 10**9 + 1), "conv.bias": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"the model has 1,000,000,00. values, and the file holds 2"):
        write(here, weights, width=10**9 + 1).separator()
    for claim in (torch.empty(1, 1, 3, device="meta"), torch.zeros(1, 1, 3).to_sparse()):
        with pytest.raises(ValueError, match="its weights are not tensors with names"):
            write(here, {"conv.weight": claim, "conv.bias": torch.zeros(1)})


def test_memory_outside_torch_is_bounded(here: Path) -> None:
    before = peak_bytes()
    with pytest.raises(ValueError, match="far more memory than the file"):
        write(here, values=10**9).separator()
    assert peak_bytes() - before < 2**29


def test_a_loop_ends(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "SECONDS", 0.2)
    with pytest.raises(ValueError, match="takes too long to build"):
        write(here, loops=10**12).separator()


def test_a_constructor_that_reads_values_is_bounded_too(here: Path) -> None:
    assert write(here, data=True).separator().scale == 3
    with pytest.raises(ValueError, match="far more memory than the file"):
        write(here, data=True, window=10**10).separator()
    with pytest.raises(ValueError, match=r"conv.weight is 1x1x3 in the file and 1x1x5"):
        write(here, data=True, width=5).separator()


def test_a_constructor_that_keeps_tensors_is_told(here: Path) -> None:
    with pytest.raises(RuntimeError, match="the constructor of Greedy keeps tensors from one call to the next"):
        write(here, keeps=True).separator()


def test_other_threads_build_too(here: Path) -> None:
    held, made = write(here), []
    thread = threading.Thread(target=lambda: made.append(held.separator()))
    thread.start()
    thread.join()
    assert len(made) == 1


def test_options_that_hold_one_value_many_times(here: Path) -> None:
    bomb = functools.reduce(lambda inner, _: [inner, inner], range(40), [0])
    with pytest.raises(ValueError, match="its model's options are not what JSON can hold"):
        write(here, targets=bomb)
    with pytest.raises(ValueError, match="its model's options are not what JSON can hold"):
        write(here, targets=["x" * LONGEST_PATH] * 10**4)


def test_a_limit_on_memory_holds_within_alone() -> None:
    with pytest.raises(RuntimeError, match="can't allocate memory"), limited_memory(2**20):
        torch.empty(2**27)  # untouched, it takes no memory
    assert len(torch.empty(2**27)) == 2**27
