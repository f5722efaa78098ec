"""How a model is run: what is refused, and how that is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

import msbench
from msbench.model.separator import Separator
from msbench.separation.inference import DEFAULTS, Inference


def test_the_defaults() -> None:
    assert dataclasses.asdict(DEFAULTS) == {
        "chunk_seconds": 10.0,
        "overlap": 0.25,
        "batch_size": 1,
        "device": None,
        "window": "crossfade",
        "shifts": 0,
        "tta": (),
        "precision": "float32",
        "compile": False,
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULTS.overlap = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"chunk_seconds": 0}, "chunk_seconds must be above 0, not 0"),
        ({"chunk_seconds": float("nan")}, "chunk_seconds must be above 0, not nan"),
        ({"overlap": 0.96}, "overlap is a share of a chunk between 0 and 0.95, not 0.96"),
        ({"batch_size": 0}, "batch_size must be at least 1, or auto, not 0"),
        ({"batch_size": "all"}, "batch_size must be at least 1, or auto, not 'all'"),
        ({"batch_size": True}, "batch_size must be at least 1, or auto, not True"),
        (
            {"window": "han"},
            r"unknown window 'han'. Did you mean hann\? Available: crossfade, triangle, hann, trape",
        ),
        ({"shifts": -1}, "shifts must be a whole number from 0 to 100, not -1"),
        ({"shifts": 1.5}, "shifts must be a whole number from 0 to 100, not 1.5"),
        ({"tta": ["swap", "speed"]}, "unknown tta 'speed'. Available: polarity, swap"),
        ({"tta": "swap"}, r"tta must be a list of names, as \['swap'\], not 'swap'"),
        ({"precision": "float16"}, "unknown precision 'float16'. Did you mean float32.*Available: float32, bf16, fp16"),
        ({"compile": "yes"}, "compile must be True or False, not 'yes'"),
        ({"device": "gpu"}, "unknown device 'gpu': it is cpu, cuda, or one of several as cuda:1"),
        ({"device": "cuda:99"}, "no device cuda:99, torch sees .* GPUs: use another one or cpu"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        Inference(**options)


def test_the_order_of_augmentations_is_none_of_the_result() -> None:
    assert Inference(tta=["swap", "polarity"]) == Inference(tta=("polarity", "swap"))  # type: ignore[arg-type]


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


def test_models_of_an_ensemble_have_chunks_of_its_length_if_it_has_one() -> None:
    ensemble, asked = Separator(["x"], 1000, 1), Inference(chunk_seconds=3.0, shifts=2)
    assert asked.within(ensemble) is asked
    ensemble.chunk_samples = 500
    assert asked.within(ensemble) == Inference(chunk_seconds=0.5, shifts=2)
