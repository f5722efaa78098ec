"""Medians of rows: of frames that repeat, of frames that are alike, of neighbors in time or frequency."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from msbench.system.compiled import compiled

_BLOCK = 64  # columns at a time: some hundred rows of them lie in the cache nearest to a core
_FEWEST = 64  # rows of the output that are worth a thread


def median_of_rows(values: Tensor, rows: Tensor, counts: Tensor | None = None) -> Tensor:
    """For each list of rows, the median in each column.

    That is numpy's median of `values[rows[m, :counts[m]]]` for each m, in the memory of the output alone and on the
    CPU. The threads of torch share the work.

    Args:
        values: (R, L), finite and not negative, such as magnitudes; taken as float32.
        rows: (M, K), which rows; K is at least 1.
        counts: (M,), how many of the K count, the first ones; None for all. Zero gives zeros.

    Returns:
        (M, L) float32, on the device of the values.

    Raises:
        ValueError: If there is no such row.

    >>> median_of_rows(torch.tensor([[1.0], [5.0], [2.0]]), torch.tensor([[0, 1, 2], [0, 1, 1]]), torch.tensor([3, 2]))
    tensor([[2.],
            [3.]])
    """
    # Floats that are not negative are in the order of their bits.
    bits = values.to("cpu", torch.float32).contiguous().abs().numpy().view(np.int32)  # abs: -0.0 has a sign
    lists = rows.to("cpu", torch.int64).contiguous().numpy()
    if lists.size and not 0 <= lists.min() <= lists.max() < len(bits):
        raise ValueError(f"rows must be 0 to {len(bits) - 1}, not {lists.min()} to {lists.max()}")
    lengths = np.full(len(lists), lists.shape[1]) if counts is None else counts.to("cpu", torch.int64).numpy()
    medians = np.empty((len(lists), bits.shape[1]), np.float32)
    loop = compiled(_medians)
    threads = max(1, min(torch.get_num_threads(), len(lists) // _FEWEST))
    parts = [slice(len(lists) * i // threads, len(lists) * (i + 1) // threads) for i in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: loop(bits, lists[part], lengths[part], medians[part]), parts))
    medians[lengths == 0] = 0
    return torch.from_numpy(medians).to(values.device)


def _medians(bits: np.ndarray, lists: np.ndarray, lengths: np.ndarray, medians: np.ndarray) -> None:
    """By bisection of the value, until as many lie below it as have to: each step is one pass over adjacent values."""
    columns = bits.shape[1]
    block = np.empty((_BLOCK, lists.shape[1]), np.int32)
    pair = np.empty((2, _BLOCK), np.int32)  # the lower and the upper median, which are one where the count is odd
    for m in range(len(lists)):
        count = max(1, lengths[m])
        half = (count + 1) // 2  # the lower median is the half-th value
        for start in range(0, columns, _BLOCK):
            width = min(_BLOCK, columns - start)
            for k in range(count):
                row = lists[m, k]
                for c in range(width):
                    block[c, k] = bits[row, start + c]
            for c in range(width):
                low = high = block[c, 0]
                for k in range(count):
                    low, high = min(low, block[c, k]), max(high, block[c, k])
                below = np.int32(count)
                while low < high and below != half:  # at least `half` values are at most `high`
                    middle = np.int32(low + ((high - low) >> 1))
                    below = np.int32(0)
                    for k in range(count):
                        below = np.int32(below + (block[c, k] <= middle))
                    if below >= half:
                        high = middle
                    else:
                        low = np.int32(middle + 1)
                lower = inside = np.int32(0)
                upper = np.int32(2147483647)
                for k in range(count):
                    within = block[c, k] <= high
                    inside = np.int32(inside + within)
                    lower = max(lower, block[c, k] if within else np.int32(0))
                    upper = min(upper, np.int32(2147483647) if within else block[c, k])
                pair[0, c] = lower
                pair[1, c] = lower if count % 2 == 1 or inside > half else upper
            both = pair.view(np.float32)
            for c in range(width):
                medians[m, start + c] = np.float32(0.5) * (both[0, c] + both[1, c])
