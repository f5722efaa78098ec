"""museval's four calls of BSSEval v2 and v3, with its arguments, defaults and numbers."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import msbench
from msbench.metrics.bsseval.museval import museval_metrics
from tests.metrics.bsseval.examples import assert_drop_in, signals

WHOLE = ["bss_eval_images", "bss_eval_sources"]
FRAMEWISE = ["bss_eval_images_framewise", "bss_eval_sources_framewise"]


def pair(name: str) -> tuple[Any, Any]:
    return getattr(msbench, name), getattr(museval_metrics(), name)


@pytest.mark.parametrize("name", ["bss_eval", *WHOLE, *FRAMEWISE])
def test_arguments_and_defaults_are_musevals(name: str) -> None:
    ours, theirs = (
        [(p.name, p.default) for p in inspect.signature(function).parameters.values() if p.kind != p.KEYWORD_ONLY]
        for function in pair(name)
    )
    assert ours == theirs


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("name", [*WHOLE, *FRAMEWISE])
@pytest.mark.parametrize("shape", [(2, 3000, 2), (2, 3000)])
def test_numbers_are_musevals_without_its_code(name: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    references, estimates = rng.random(shape), rng.random(shape)
    assert_drop_in(*pair(name), references, estimates)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("permutation", [False, True])
def test_estimates_are_matched(name: str, permutation: bool) -> None:
    references, estimates = signals((2, 3000, 1))
    assert_drop_in(*pair(name), references, estimates[::-1], compute_permutation=permutation)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("name", FRAMEWISE)
def test_estimates_are_matched_in_each_window(name: str) -> None:
    references, estimates = signals((2, 8000, 1))
    estimates[:, 4000:] = estimates[::-1, 4000:]
    assert_drop_in(*pair(name), references, estimates, 4000, 4000, True)
    assert pair(name)[0](references, estimates, 4000, 4000, True)[-1].tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("name", [*WHOLE, *FRAMEWISE])
def test_empty_and_silent_inputs(name: str) -> None:
    assert_drop_in(*pair(name), np.array([]), np.array([]))
    assert_drop_in(*pair(name), np.ones((2, 50)), np.zeros((2, 50)))
    assert_drop_in(*pair(name), np.zeros((2, 50)), np.ones((2, 50)))
