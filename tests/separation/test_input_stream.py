"""Audio on its way in: counted, and refused with the place where it is bad."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from msbench.separation.input_stream import CheckedBlocks, InputStream


def test_blocks_pass_and_are_counted() -> None:
    given = [np.ones((2, 3), np.float64), np.zeros((2, 5), np.float32)]
    checked = CheckedBlocks(InputStream(given, 44100, 2))
    blocks = iter(checked)
    assert next(blocks).shape == (1, 2, 3)
    assert (checked.samples, checked.ended) == (3, False)
    assert [block.dtype for block in blocks] == [np.float32]
    assert (checked.samples, checked.ended) == (8, True)


def test_references_travel_with_the_mixture() -> None:
    assert [block.shape for block in CheckedBlocks(InputStream([np.zeros((4, 2, 7))], 44100, 2))] == [(4, 2, 7)]


def broken() -> Iterator[np.ndarray]:
    yield np.zeros((1, 1000))
    block = np.zeros((1, 1000))
    block[0, 500] = np.inf
    yield block


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [
        (InputStream(broken(), 1000, 1, name="song.wav"), "song.wav has NaN or infinite samples, the first at 1.500 s"),
        (InputStream([], 1000, 1), "the mixture has zero length: give audio with at least one sample"),
        (InputStream([np.zeros((2, 0))], 1000, 2), "the mixture has zero length"),
        (InputStream([np.zeros((3, 9))], 1000, 2), r"the mixture has a block \(3, 9\), not \(2, frames\)"),
    ],
)
def test_what_is_refused(stream: InputStream, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        list(CheckedBlocks(stream))


def test_a_rate_that_is_none() -> None:
    with pytest.raises(ValueError, match="sample_rate must be at least 1, not 0"):
        InputStream([], 0, 2)
