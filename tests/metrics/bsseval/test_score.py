"""Windows, permutations, silence and bad input."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from msbench.metrics import bss_eval
from msbench.metrics.bsseval.museval import museval_metrics
from tests.metrics.bsseval.examples import DEVICE, assert_drop_in, assert_museval, signals


@pytest.mark.usefixtures("no_handing_over")
def test_torch_does_it_all_by_itself() -> None:
    references, estimates = signals((2, 30000, 2))
    scores = bss_eval(references, estimates, 8000, 8000, device=DEVICE)
    assert_museval(scores, references, estimates, 8000, 8000)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("permutation", [False, True])
@pytest.mark.parametrize(
    ("window", "hop"),
    [(4000, 4000), (4000, 3000), (3000, 4500), (20, 70), (700.5, 350.25), (np.inf, np.inf), (20000, 5), (10000, 10000)],
)
def test_windows(window: float, hop: float, permutation: bool) -> None:
    references, estimates = signals((3, 12000, 2))
    estimates = estimates[[2, 0, 1]] if permutation else estimates
    scores = bss_eval(references, estimates, window, hop, permutation, 24)
    assert_museval(scores, references, estimates, window, hop, permutation, 24)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("sources", [5, 6])
def test_permutations_of_many(sources: int) -> None:
    references, estimates = signals((sources, 3000, 1))
    estimates = np.roll(estimates, 2, axis=0)
    scores = bss_eval(references, estimates, 1000, 1500, True, 4)
    assert_museval(scores, references, estimates, 1000, 1500, True, 4)
    assert scores[4][:, 0].tolist() == [(source + 2) % sources for source in range(sources)]


def test_what_overflows_is_musevals_nan() -> None:
    references, estimates = (1e160 * part for part in signals((2, 6000, 2)))
    with pytest.warns(RuntimeWarning, match="overflow"):  # museval's own
        scores = bss_eval(references, estimates, 2000, 2000, filters_len=8)
    assert_museval(scores, references, estimates, 2000, 2000, False, 8)


def test_what_is_rounding_noise_in_museval_comes_from_museval() -> None:
    references, _ = signals((2, 6000, 2))
    scores = bss_eval(references, references, 2000, 2000, filters_len=32)
    assert_museval(scores, references, references, 2000, 2000, False, 32)


@pytest.mark.usefixtures("no_handing_over")
def test_unless_that_is_not_wanted() -> None:
    references, _ = signals((2, 6000, 2))
    sdr, _isr, sir, sar, _ = bss_eval(references, references, 2000, 2000, filters_len=32, strict=False)
    assert np.isinf(sdr).all()
    assert (sir > 200).all()
    assert (sar > 200).all()


@pytest.mark.parametrize("where", ["references", "estimates", "opposite channels"])
def test_a_window_with_a_silent_source_is_nan_for_all(where: str) -> None:
    references, estimates = signals((2, 6000, 2))
    if where == "opposite channels":
        references[1, 2000:4000, 1] = -references[1, 2000:4000, 0]
    else:
        {"references": references, "estimates": estimates}[where][1, 2000:4000] = 0
    scores = bss_eval(references, estimates, 2000, 2000, filters_len=16)
    for value in scores[:4]:
        np.testing.assert_array_equal(np.isnan(value), [[False, True, False]] * 2)
    assert_museval(scores, references, estimates, 2000, 2000, False, 16)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"estimated_sources": np.ones((2, 90, 1))}, ValueError, r"differ in shape: \(2, 100, 1\) and \(2, 90, 1\)"),
        ({"backend": "matlab"}, ValueError, "unknown backend 'matlab': choose fast or museval"),
        ({"filters_len": 0}, ValueError, "filters_len must be 1 or more, not 0"),
        ({"filters_len": 2.0}, TypeError, "filters_len must be an integer, not 2.0"),
        ({"window": -np.inf}, OverflowError, "window must be 1 sample or more"),
        ({"hop": np.inf}, ValueError, "hop must be finite"),
        ({"hop": np.nan}, ValueError, "hop must be finite"),
        ({"hop": 0}, ZeroDivisionError, "hop must be more than zero"),
        ({"hop": -3}, ValueError, "hop must be more than zero, not -3"),
    ],
)
def test_bad_arguments_are_errors_of_musevals_kinds(change: dict[str, Any], kind: type, message: str) -> None:
    references, estimates = signals((2, 100, 1))
    given = {"reference_sources": references, "estimated_sources": estimates, "window": 50, "hop": 50, "filters_len": 4}
    with pytest.raises(kind, match=message):
        bss_eval(**(given | change))
    if "backend" not in change:
        with pytest.raises(kind):
            museval_metrics().bss_eval(**(given | change))


@pytest.mark.parametrize("window", [0, 0.5, -5, np.nan, 1, 1.5, 99, 100, 101])
@pytest.mark.parametrize("hop", [0.5, 7, 33.3, 1000])
def test_odd_windows_are_musevals(window: float, hop: float) -> None:
    references, estimates = signals((2, 100, 1))
    assert_drop_in(bss_eval, museval_metrics().bss_eval, references, estimates, window, hop, filters_len=4)


@pytest.mark.parametrize("backend", ["fast", "museval"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("framewise", [False, True])
def test_samples_that_are_no_numbers_are_musevals_nan_and_logged(
    backend: str, value: float, framewise: bool, caplog: pytest.LogCaptureFixture
) -> None:
    references, estimates = signals((2, 100, 1))
    estimates[1, 70] = value
    assert_drop_in(
        partial(bss_eval, backend=backend),
        museval_metrics().bss_eval,
        references,
        estimates,
        *(50, 50, False, 4, framewise),
    )
    assert "estimates[1] holds NaN or infinity at sample 70: the scores that it reaches are NaN" in caplog.text


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("framewise", [False, True])
def test_samples_that_are_no_numbers_are_errors_unless_strict(value: float, framewise: bool) -> None:
    references, estimates = signals((2, 100, 1))
    estimates[1, 70] = value
    with pytest.raises(ValueError, match=r"estimates\[1\] holds NaN or infinity at sample 70"):
        bss_eval(references, estimates, 50, 50, False, 4, framewise, strict=False)


@pytest.mark.parametrize("framewise", [False, True])
def test_silence_from_end_to_end(framewise: bool) -> None:
    references, estimates = signals((2, 100, 2))
    references[1, :, 1] = -references[1, :, 0]
    with pytest.raises(ValueError, match=r"references\[1\] is silent from end to end"):
        bss_eval(references, estimates, 50, 50, False, 4, framewise)


@pytest.mark.usefixtures("no_handing_over")
@pytest.mark.parametrize("sources_version", [False, True])
@pytest.mark.parametrize("permutation", [False, True])
@pytest.mark.parametrize(("window", "hop"), [(4000, 4000), (4000, 3000), (5000.5, 4500.25), (np.inf, np.inf)])
def test_framewise_filters_and_v2_are_fast_too(
    window: float, hop: float, permutation: bool, sources_version: bool
) -> None:
    references, estimates = signals((3, 12000, 2))
    estimates = estimates[[2, 0, 1]] if permutation else estimates
    for framewise in (False, True):
        arguments = (window, hop, permutation, 24, framewise, sources_version)
        assert_museval(bss_eval(references, estimates, *arguments), references, estimates, *arguments)


def test_a_silent_window_of_framewise_filters_is_nan_and_has_no_permutation() -> None:
    references, estimates = signals((2, 6000, 2))
    references[1, 2000:4000] = 0
    arguments = (2000, 2000, True, 16, True)
    scores = bss_eval(references, estimates[::-1], *arguments)
    np.testing.assert_array_equal(np.isnan(scores[0]), [[False, True, False]] * 2)
    np.testing.assert_array_equal(scores[4], [[1, 0, 1], [0, 1, 0]])
    assert_museval(scores, references, estimates[::-1], *arguments)


def test_v2_of_noise_that_cannot_be_told_is_musevals() -> None:
    """A gain is no error to BSSEval v2: what is left is rounding."""
    references, _ = signals((2, 6000, 1))
    arguments = (2000, 2000, False, 16, False, True)
    assert_museval(bss_eval(references, 0.5 * references, *arguments), references, 0.5 * references, *arguments)
