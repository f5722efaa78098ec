"""What a job needs of a machine."""

from __future__ import annotations

from typing import Any

import pytest

from msbench.runs.resources import Resources


def test_some_fields_are_changed() -> None:
    assert Resources(cpus=8).but({"gpus": 2, "hours": 1}) == Resources(nodes=1, gpus=2, cpus=8, hours=1)
    assert Resources().but({}) == Resources()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gpu": 1}, "unknown field 'train.gpu'. Did you mean gpus or cpus\\? The fields are nodes, gpus, cpus"),
        ({"gpus": True}, "field 'train.gpus' must be a whole number of at least 0, not True"),
        ({"memory_gb": float("nan")}, "field 'train.memory_gb' must be a number above 0, not nan"),
        (5, r"field 'train' must hold fields \(nodes, gpus, cpus, memory_gb, hours\), not 5"),
    ],
)
def test_changes_that_cannot_be(changes: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Resources().but(changes, "train")


def test_a_job_has_a_process_per_gpu_or_one() -> None:
    assert Resources(gpus=3).ranks_per_node == 3
    assert Resources(gpus=0).ranks_per_node == 1
    with pytest.raises(ValueError, match="field 'cpus' must be a whole number of at least 1, not 0"):
        Resources(cpus=0)
