"""Parameters are counted without memory, within a time, and whatever a model raises."""

from __future__ import annotations

import json

import msbench
from msbench.model.costs import parameter_count
from msbench.planning.parameters import counted_parameters

UNET = json.dumps(["unet", {"targets": ["vocals"], "depth": 3, "filters": 4}])


def test_counts_are_those_of_the_model() -> None:
    wrong = [json.dumps(["unet", {"depht": 3}]), json.dumps(["no_such_model", {}])]
    expected = parameter_count(msbench.load("unet", targets=["vocals"], depth=3, filters=4))
    assert counted_parameters([*wrong, UNET]) == {UNET: expected}


def test_nothing_is_begun_when_the_time_is_over() -> None:
    assert list(counted_parameters([UNET, UNET.replace("3", "2")], seconds=0)) == [UNET]
