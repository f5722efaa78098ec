"""Windows are museval's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msbench.metrics.bsseval.museval import museval_metrics
from msbench.metrics.bsseval.settings import windows


@given(st.integers(1, 3000), st.floats(1, 4000), st.floats(0.3, 4000))
def test_any_window_and_hop(length: int, window: float, hop: float) -> None:
    expected = [(part.start, part.stop) for part in museval_metrics().Framing(window, hop, length)]
    assert windows(window, hop, length) == expected


@pytest.mark.parametrize("window", [100, np.inf])
def test_one_window_over_everything(window: float) -> None:
    assert windows(window, math.inf, 100) == [(0, 100)]


def test_a_fractional_hop_loses_no_window() -> None:
    assert 1000 // 0.1 < len(windows(100, 0.1, 1099.9)) == museval_metrics().Framing(100, 0.1, 1099.9).nwin
