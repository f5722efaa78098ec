"""Windows, permutations, silence and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from msbench.metrics import bss_eval
from tests.metrics.bsseval.examples import DEVICE, assert_museval, signals


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
    assert_museval(
        bss_eval(references, estimates, 2000, 2000, filters_len=8), references, estimates, 2000, 2000, False, 8
    )


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
    ("change", "message"),
    [
        ({"references": np.ones((2, 100))}, r"references must be \(source, time, channel\), not of shape \(2, 100\)"),
        ({"estimates": np.ones((2, 90, 1))}, r"differ in shape: \(2, 100, 1\) and \(2, 90, 1\)"),
        ({"backend": "matlab"}, "unknown backend 'matlab': choose fast or museval"),
        ({"filters_len": 0}, "filters_len must be 1 or more, not 0"),
        ({"window": 0}, "window and hop must be 1 sample or more, not 0 and 50"),
        ({"window": np.nan}, "window and hop must be 1 sample or more"),
        ({"window": 50, "hop": np.inf}, "hop must be finite"),
    ],
)
def test_bad_arguments(change: dict[str, Any], message: str) -> None:
    references, estimates = signals((2, 100, 1))
    arguments = {"references": references, "estimates": estimates, "window": 50, "hop": 50, "filters_len": 4, **change}
    with pytest.raises(ValueError, match=message):
        bss_eval(**arguments)


@pytest.mark.parametrize("backend", ["fast", "museval"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers(backend: str, value: float) -> None:
    references, estimates = signals((2, 100, 1))
    estimates[1, 70] = value
    with pytest.raises(ValueError, match=r"estimates\[1\] holds NaN or infinity at sample 70"):
        bss_eval(references, estimates, 50, 50, filters_len=4, backend=backend)


def test_nothing_has_no_scores() -> None:
    with pytest.warns(UserWarning, match="empty"):
        assert [part.size for part in bss_eval(np.zeros((2, 0, 1)), np.zeros((2, 0, 1)))] == [0] * 5


def test_silence_from_end_to_end() -> None:
    references, estimates = signals((2, 100, 2))
    references[1, :, 1] = -references[1, :, 0]
    with pytest.raises(ValueError, match=r"references\[1\] is silent from end to end"):
        bss_eval(references, estimates, 50, 50, filters_len=4)
