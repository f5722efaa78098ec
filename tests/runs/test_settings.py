"""What a suite may say of inference is what `Inference` takes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from msbench.runs.settings import InferenceSettings, inference_settings
from msbench.separation.inference import Inference


def test_the_fields_are_those_of_inference() -> None:
    known = {field.name for field in fields(Inference)} - {"device"}
    assert {field.name for field in fields(InferenceSettings)} == known


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [("chunk_seconds", [1e-3, 600], [0, -1]), ("overlap", [0, 0.5], [-0.01, 0.51]), ("batch_size", [1, 64], [0])],
)
def test_the_bounds_are_those_of_inference(name: str, taken: list[Any], refused: list[Any]) -> None:
    for value in taken:
        assert getattr(Inference(**inference_settings({name: value}, "inference")), name) == value
    for value in refused:
        with pytest.raises(ValueError, match=f"field 'inference.{name}' must be"):
            inference_settings({name: value}, "inference")
        with pytest.raises(ValueError, match=name):
            Inference(**{name: value})
