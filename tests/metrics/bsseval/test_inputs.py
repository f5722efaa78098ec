"""What museval takes, `bss_eval` takes; and the same goes for what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from msbench.metrics import bss_eval
from msbench.metrics.bsseval.inputs import as_sources
from msbench.metrics.bsseval.museval import museval_metrics
from tests.metrics.bsseval.examples import assert_drop_in, assert_same, signals

TYPES = [bool, np.uint8, np.int32, np.float16, np.float32, np.longdouble, object, str]
SIZES = {"window": 300, "hop": 300, "filters_len": 4}


class Reader:
    """A shape, and `[:, a:b]`."""

    def __init__(self, signals: np.ndarray) -> None:
        self._signals, self.shape = signals, signals.shape

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        assert key[0] == slice(None)
        return self._signals[key]


@pytest.mark.parametrize("shape", [(3, 1000, 2), (3, 1000, 1), (3, 1000), (1, 1000), (1000,), (2, 1), (2, 1, 1), (1,)])
@pytest.mark.parametrize("framewise", [False, True])
@pytest.mark.parametrize("sources_version", [False, True])
def test_every_shape_of_museval(shape: tuple[int, ...], framewise: bool, sources_version: bool) -> None:
    rng = np.random.default_rng(0)
    pair = rng.random(shape), rng.random(shape)
    options = {**SIZES, "framewise_filters": framewise, "bsseval_sources_version": sources_version}
    assert_drop_in(bss_eval, museval_metrics().bss_eval, *pair, **options)
    assert_drop_in(bss_eval, museval_metrics().bss_eval, *(part.tolist() for part in pair), **options)


@pytest.mark.parametrize("shape", [(0,), (0, 5), (2, 0), (2, 0, 1), (0, 4, 1), (2, 4, 0), (101, 0, 1)])
@pytest.mark.parametrize("options", [{}, {"framewise_filters": True}, {"bsseval_sources_version": True}, {"hop": 0}])
def test_empty_inputs_have_empty_scores_and_a_warning(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    assert_drop_in(bss_eval, museval_metrics().bss_eval, np.zeros(shape), np.zeros(shape), **options)
    if shape[0] < 100:
        with pytest.warns(UserWarning, match="empty"):
            scores = bss_eval(np.zeros(shape), np.zeros(shape), **options)
        assert [part.shape for part in scores] == [(0,)] * 5


@pytest.mark.parametrize(
    "shapes", [((2, 90), (2, 91)), ((2, 90, 1, 1),) * 2, ((101, 20),) * 2, ((2, 90), (90,)), ((), ())]
)
def test_shapes_that_museval_refuses(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    assert_drop_in(bss_eval, museval_metrics().bss_eval, *(rng.random(shape) for shape in shapes), filters_len=2)


@pytest.mark.parametrize("kind", TYPES)
def test_samples_of_any_type(kind: type) -> None:
    references, estimates = ((40 * part).astype(kind) for part in signals((2, 900, 1)))
    assert_drop_in(bss_eval, museval_metrics().bss_eval, references, estimates, **SIZES)


def test_complex_samples() -> None:
    references, estimates = signals((2, 900, 1))
    with pytest.raises(TypeError, match="the samples of the references must be real numbers, not of type complex"):
        bss_eval(references + 1j, estimates)


def test_one_of_two_and_one_of_three_dimensions() -> None:
    references, estimates = signals((2, 900, 1))
    assert_drop_in(bss_eval, museval_metrics().bss_eval, references[..., 0], estimates, **SIZES)


def test_nothing_at_all_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="must be real numbers"):
        bss_eval(None, None)


def test_readers_of_two_dimensions() -> None:
    references, estimates = signals((2, 900, 1))
    scores = bss_eval(Reader(references[..., 0]), Reader(estimates[..., 0]), **SIZES)
    assert_same(scores, bss_eval(references, estimates, **SIZES))


def test_a_memory_map_is_not_read(tmp_path: Any) -> None:
    np.save(tmp_path / "a.npy", signals((2, 900, 1))[0])
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert as_sources(mapped) is mapped
    assert np.shares_memory(as_sources(mapped[..., 0]), mapped)


def test_musevals_names_of_arguments() -> None:
    references, estimates = signals((2, 900, 1))
    scores = bss_eval(reference_sources=references, estimated_sources=estimates, **SIZES)
    assert_same(scores, bss_eval(references, estimates, **SIZES))
