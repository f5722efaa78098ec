"""How a model is run: what is refused, and how that is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

import msbench
from msbench.separation.inference import DEFAULTS, Inference


def test_the_defaults() -> None:
    assert dataclasses.asdict(DEFAULTS) == {"chunk_seconds": 10.0, "overlap": 0.25, "batch_size": 1, "device": None}
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULTS.overlap = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"chunk_seconds": 0}, "chunk_seconds must be above 0, not 0"),
        ({"chunk_seconds": float("nan")}, "chunk_seconds must be above 0, not nan"),
        ({"overlap": 0.6}, "overlap is a share of a chunk between 0 and 0.5, not 0.6"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"device": "gpu"}, "unknown device 'gpu': it is cpu, cuda, or one of several as cuda:1"),
        ({"device": "cuda:99"}, "no device cuda:99, torch sees .* GPUs: use another one or cpu"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Inference(**options)


def test_an_unknown_keyword_is_told_with_the_nearest() -> None:
    model, mixture = msbench.load("mixture"), torch.zeros(2, 100)
    with pytest.raises(TypeError, match=r"unknown option 'chunk_second'. Did you mean chunk_seconds\? Available: "):
        msbench.separate(model, mixture, 44100, chunk_second=5)
    with pytest.raises(TypeError, match=r"unknown option 'reference'. Did you mean references\?"):
        msbench.separate(model, mixture, 44100, reference=mixture)


def test_separate_takes_its_fields_as_keywords() -> None:
    model, mixture = msbench.load("mixture", targets=["a"]), torch.rand(2, 1000)
    options = {"chunk_seconds": 0.01, "overlap": 0.5, "batch_size": 3, "device": "cpu"}
    stems = msbench.separate(model, mixture, sample_rate=44100, references=None, progress=None, **options)
    assert torch.equal(stems["a"], mixture)
