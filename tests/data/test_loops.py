"""Compiled loops give what numpy gives, to the bit."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from msbench.data.loops import sum_of


@pytest.mark.parametrize("count", [1, 2, 4, 8, 12])
def test_a_sum_is_from_the_first_stem_to_the_last(count: int) -> None:
    stems = np.random.default_rng(0).standard_normal((count, 2, 1001)).astype(np.float32)
    before = stems.copy()
    total = sum_of(stems)
    np.testing.assert_array_equal(total, reduce(np.add, stems))
    np.testing.assert_array_equal(stems, before)
    assert not np.shares_memory(total, stems)
