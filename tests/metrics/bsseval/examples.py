"""Signals for the tests of BSSEval, and museval's scores of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from msbench.metrics.bsseval.museval import museval_metrics

BAR_DB = 1e-6


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def assert_museval(scores: Any, references: Any, estimates: Any, *arguments: Any) -> None:
    """Same NaN and infinities as museval's own, within the bar elsewhere, same permutation."""
    with np.errstate(all="ignore"):
        expected = museval_metrics().bss_eval(references, estimates, *arguments)
    assert_same(scores, expected)


def assert_same(scores: Any, expected: Any) -> None:
    """Same NaN and infinities, within the bar elsewhere, same permutation."""
    np.testing.assert_array_equal(scores[-1], expected[-1])
    assert len(scores) == len(expected)
    for value, wanted in zip(scores[:-1], expected[:-1], strict=True):
        np.testing.assert_allclose(value, wanted, rtol=0, atol=BAR_DB)


def assert_drop_in(ours: Callable[..., Any], theirs: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """The same scores, shapes and types, or the same kind of error; and the same kinds of warnings."""
    found, kinds = outcome(ours, *arguments, **options)
    expected, wanted_kinds = outcome(theirs, *arguments, **options)
    if isinstance(expected, type):
        assert found is expected
    else:
        assert not isinstance(found, type), found
        assert [(part.shape, part.dtype) for part in found] == [(part.shape, part.dtype) for part in expected]
        assert_same(found, expected)
    assert kinds == wanted_kinds


def outcome(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, set[type[Warning]]]:
    """What a call returns, or the built-in kind of its error; and the kinds of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*arguments, **options)
        except Exception as error:
            result = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return result, {warning.category for warning in caught}


def signals(shape: tuple[int, int, int], seed: int = 0, leak: float = 0.1, noise: float = 0.02) -> Any:
    """References of 16 bits and estimates that leak and are noisy."""
    rng = np.random.default_rng(seed)
    references = np.round(0.1 * rng.standard_normal(shape) * 32768) / 32768
    delayed = np.roll(references, 2, axis=1)
    estimates = 0.8 * references + 0.1 * delayed + leak * np.roll(references, 1, axis=0)
    return references, estimates + noise * rng.standard_normal(shape)
