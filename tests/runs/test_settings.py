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
    [
        ("chunk_seconds", [1e-3, 600], [0, -1]),
        ("overlap", [0, 0.95], [-0.01, 0.951]),
        ("batch_size", [1, 64, "auto"], [0, "all", 1.5]),
        ("window", ["crossfade", "triangle", "hann", "trapezoid"], ["square"]),
        ("shifts", [0, 100], [-1, 101, 0.5]),
        ("tta", [["polarity"], ["polarity", "swap"]], [["speed"], "swap"]),
        ("precision", ["float32", "bf16", "fp16"], ["float64"]),
        ("compile", [True, False], ["yes"]),
    ],
)
def test_the_bounds_are_those_of_inference(name: str, taken: list[Any], refused: list[Any]) -> None:
    for value in taken:
        expected = tuple(value) if name == "tta" else value
        assert getattr(Inference(**inference_settings({name: value}, "inference")), name) == expected
    for value in refused:
        with pytest.raises(ValueError, match=rf"field 'inference.{name}(\[0\])?' must be"):
            inference_settings({name: value}, "inference")
        with pytest.raises((TypeError, ValueError), match=name):
            Inference(**{name: value})
