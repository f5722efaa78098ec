"""Which chunks a rank gets, and where it goes on."""

from __future__ import annotations

import pytest

from msbench.data.loading.sampler import ChunkSampler


def test_sampler_numbers_chunks_across_epochs() -> None:
    sampler = ChunkSampler(10)
    assert list(sampler) == list(range(10))
    sampler.set_epoch(3)
    assert list(sampler) == list(range(30, 40))
    assert len(sampler) == 10


def test_sampler_shares_chunks_among_ranks() -> None:
    ranks = [ChunkSampler(10, rank=rank, world_size=3, epoch=2) for rank in range(3)]
    assert [list(rank) for rank in ranks] == [[20, 23, 26], [21, 24, 27], [22, 25, 28]]
    assert [len(rank) for rank in ranks] == [3, 3, 3]


def test_sampler_starts_within_an_epoch_once() -> None:
    sampler = ChunkSampler(10, rank=1, world_size=2, epoch=4, start=3)
    assert len(sampler) == 5  # the loop's count includes what is done
    sampler.set_epoch(4)
    assert list(sampler) == [47, 49]
    sampler.set_epoch(5)
    assert list(sampler) == [51, 53, 55, 57, 59]


def test_sampler_with_too_few_chunks() -> None:
    with pytest.raises(ValueError, match="chunks_per_epoch must be at least one for each of 4 processes, not 3"):
        ChunkSampler(3, world_size=4)
