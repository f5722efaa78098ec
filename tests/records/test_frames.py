"""Medians over windows."""

from __future__ import annotations

from msbench.records import METRICS
from msbench.records.frames import medians_over_windows
from msbench.records.types import Frame


def frame(sdr: float, sir: float = 0.0) -> Frame:
    return {"time": 0.0, "duration": 1.0, "metrics": {**dict.fromkeys(METRICS, 0.0), "SDR": sdr, "SIR": sir}}


def test_windows_without_a_score_are_left_out() -> None:
    nothing, endless = float("nan"), float("inf")
    found = medians_over_windows([frame(1.0, nothing), frame(nothing, endless), frame(4.0, nothing)])
    assert list(found) == list(METRICS)
    assert found["SDR"] == 2.5
    assert found["SIR"] is None
    assert found["SAR"] == 0.0


def test_no_window_has_no_score() -> None:
    assert medians_over_windows([]) == dict.fromkeys(METRICS)
