"""The estimates of chunks joined to one stream, by the weights of their plan (`msbench.separation.chunks`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from msbench.separation.chunks import ChunkPlan, Placed


def joined(estimates: Iterable[Placed], plan: ChunkPlan) -> Iterator[np.ndarray]:
    """Join the estimates of the chunks to one stream (S, C, frames)."""
    return _crossfaded(estimates, plan) if plan.of_two else _averaged(estimates, plan)


def _crossfaded(estimates: Iterable[Placed], plan: ChunkPlan) -> Iterator[np.ndarray]:
    fade = plan.overlap // 2  # the other half of the overlap is left out, a quarter at each side
    tail: np.ndarray | None = None  # of the chunk before: what is not given out yet, from sample `begin` on
    begin = 0
    for start, estimate in estimates:
        if tail is not None:
            # In the middle of what the two share: the farthest from the ends of both.
            middle = (start + begin + tail.shape[-1] - fade) // 2
            yield tail[..., : middle - begin]
            old = tail[..., middle - begin : middle - begin + fade]
            new = estimate[..., middle - start :]
            yield old + plan.rise * (new[..., :fade] - old)  # exactly `old` where both agree
            tail, begin = new[..., fade:], middle + fade
        else:
            tail, begin = estimate, start
    if tail is not None:
        yield tail


def _averaged(estimates: Iterable[Placed], plan: ChunkPlan) -> Iterator[np.ndarray]:
    """The mean of all chunks that hold a sample, by their weights: exactly their value where they agree."""
    mean: np.ndarray | None = None  # of what is not given out yet, from sample `begin` on
    total = np.zeros(0, np.float32)  # of the weights
    begin = 0
    for (place, estimate), last in _with_last(estimates):
        skipped, start = max(0, -place), max(0, place)  # what stands before the song
        own = plan.weights(estimate.shape[-1], first=place == 0, last=last)[skipped:]
        frames = len(own)
        if mean is None:
            mean = np.zeros((*estimate.shape[:-1], 0), np.float32)
        elif start > begin:
            yield mean[..., : start - begin]
            mean, total, begin = mean[..., start - begin :], total[start - begin :], start
        more = max(0, frames - len(total))
        if more:
            mean = np.pad(mean, [(0, 0)] * (mean.ndim - 1) + [(0, more)])
            total = np.pad(total, (0, more))
        total[:frames] += own
        share = np.divide(own, total[:frames], out=np.ones_like(own), where=total[:frames] > 0)
        mean[..., :frames] += share * (estimate[..., skipped:] - mean[..., :frames])
    if mean is not None:
        yield mean


def _with_last(estimates: Iterable[Placed]) -> Iterator[tuple[Placed, bool]]:
    """Each with whether it is the last."""
    waiting: Placed | None = None
    for placed in estimates:
        if waiting is not None:
            yield waiting, False
        waiting = placed
    if waiting is not None:
        yield waiting, True
