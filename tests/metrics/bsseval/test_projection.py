"""The distortion filters, of any number of taps and of references that are copies."""

from __future__ import annotations

import pytest

from msbench.metrics import bss_eval
from tests.metrics.bsseval.examples import assert_museval, signals


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("shape", [(1, 30000, 1), (1, 30000, 2), (2, 30000, 2), (6, 30000, 1)])
def test_512_taps(shape: tuple[int, int, int]) -> None:
    references, estimates = signals(shape)
    assert_museval(bss_eval(references, estimates, 8000, 8000), references, estimates, 8000, 8000)


@pytest.mark.parametrize("length", [40, 500, 700])
def test_a_track_about_as_short_as_the_filters(length: int) -> None:
    references, estimates = signals((2, length, 2))
    assert_museval(bss_eval(references, estimates, 300, 300), references, estimates, 300, 300)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("lags", [1, 2, 3, 31, 32, 33, 100])
def test_any_number_of_taps(lags: int) -> None:
    references, estimates = signals((2, 5000, 2))
    scores = bss_eval(references, estimates, 1000, 1000, filters_len=lags)
    assert_museval(scores, references, estimates, 1000, 1000, False, lags)


@pytest.mark.usefixtures("no_handing_over")
def test_mono_stems_and_copies_are_solved_without_singular_values() -> None:
    references, estimates = signals((3, 20000, 2))
    references[0, :, 1] = references[0, :, 0]
    references[2, :, 0] = references[1, :, 1]
    assert_museval(
        bss_eval(references, estimates, 5000, 5000, filters_len=64), references, estimates, 5000, 5000, False, 64
    )
