"""The median of lists of rows is numpy's, to the bit where the count is odd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from msbench.model.medians import median_of_rows

RANDOM = np.random.default_rng(0)


def numpys(values: np.ndarray, rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.stack([np.median(values[row[:count]], axis=0) for row, count in zip(rows, counts, strict=True)])


@pytest.mark.parametrize("columns", [1, 63, 64, 131])
@pytest.mark.parametrize("most", [1, 2, 7, 100])
def test_the_median_of_each_column_is_numpys(columns: int, most: int) -> None:
    values = RANDOM.standard_normal((150, columns)).astype(np.float32) ** 4
    values[RANDOM.random(values.shape) < 0.2] = 0  # with values that are equal
    rows = RANDOM.integers(0, 150, (140, most))
    counts = RANDOM.integers(1, most + 1, 140)
    medians = median_of_rows(*map(torch.from_numpy, (values, rows, counts)))
    np.testing.assert_allclose(medians.numpy(), numpys(values, rows, counts), rtol=1e-7, atol=0)


def test_all_rows_count_and_no_row_gives_zero() -> None:
    values = torch.tensor([[3.0], [1.0], [-0.0], [1e-40]])
    assert median_of_rows(values, torch.tensor([[0, 1, 2]])).tolist() == [[1.0]]
    assert median_of_rows(values, torch.tensor([[2, 3]])).item() == pytest.approx(0.5e-40, rel=1e-3)
    assert median_of_rows(values, torch.tensor([[0, 1]]), torch.tensor([0])).tolist() == [[0.0]]
    assert median_of_rows(values, torch.zeros(0, 2, dtype=torch.int64)).shape == (0, 1)


def test_the_threads_of_torch_share_the_work_and_change_nothing() -> None:
    values, rows = torch.rand(50, 20), torch.randint(50, (300, 9))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = median_of_rows(values, rows)
        torch.set_num_threads(3)
        assert torch.equal(median_of_rows(values, rows), alone)
    finally:
        torch.set_num_threads(threads)


def test_a_row_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="rows must be 0 to 2, not 0 to 3"):
        median_of_rows(torch.rand(3, 1), torch.tensor([[0, 3]]))
