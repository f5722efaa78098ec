"""How often a second of a song is separated, from a suite's words; the defaults are those of the separation."""

from __future__ import annotations

from typing import Any

import pytest

from msbench.planning.passes import networks_of, passes_of
from msbench.runs.settings import OVERLAP
from msbench.runs.suite import Cell
from msbench.separation.inference import Inference

ONCE = 1 / (1 - OVERLAP)


@pytest.mark.parametrize(
    ("inference", "more", "expected"),
    [
        ({}, {}, ONCE),
        ({"shifts": 1, "window": "triangle"}, {}, ONCE),
        ({"shifts": 5, "tta": ["swap", "polarity"]}, {}, 15 * ONCE),
        ({"overlap": 0.75}, {}, 4),
        ({"overlap": 0.5}, {"overrides": {"separator.members": ["a", "b", "c"]}}, 6),
        ({}, {"weights": "htdemucs_ft"}, 4 * ONCE),
        ({}, {"weights": "htdemucs"}, ONCE),
    ],
)
def test_passes(inference: dict[str, Any], more: dict[str, Any], expected: float) -> None:
    cell = Cell("a", "tiny", "folder", None, "0" * 8, inference=inference, **more)
    assert passes_of(cell, networks_of) == pytest.approx(expected)
    assert Inference().overlap == OVERLAP
