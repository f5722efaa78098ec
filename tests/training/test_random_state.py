"""Every generator that a training step may draw from goes on where it stood, by way of a file."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msbench.training.random_state import gathered, random_state, restore_random_state


def drawn() -> list[Any]:
    return [torch.rand(3).tolist(), np.random.rand(3).tolist(), random.gauss(0, 1), np.random.randn()]


def test_all_generators_go_on(tmp_path: Path) -> None:
    np.random.randn()  # leaves a second Gaussian number in numpy's state
    random.gauss(0, 1)
    torch.save(random_state(), tmp_path / "state")
    expected = drawn()
    drawn()
    restore_random_state(torch.load(tmp_path / "state", weights_only=True))
    assert drawn() == expected


def test_one_process_has_its_own_state_alone() -> None:
    assert gathered({"a": 1}) == [{"a": 1}]
