"""k-means as a model needs it at inference: on any device, the same from call to call."""

from __future__ import annotations

import torch
from torch import Tensor


def kmeans(points: Tensor, start: Tensor, steps: int = 100) -> tuple[Tensor, Tensor]:
    """Lloyd's k-means.

    Args:
        points: (K, D), of which there may be none.
        start: The centers to begin with, (S, D). One that has no points stays where it is.
        steps: The most steps; it ends before when no point changes its cluster. 0 gives each point its nearest center.

    Returns:
        The cluster of each point, (K,), and the centers, (S, D).
    """
    centers = start
    clusters = _nearest(points, centers)
    for _ in range(steps if len(points) else 0):
        members = torch.nn.functional.one_hot(clusters, len(centers)).to(points.dtype)
        counts = members.sum(0).unsqueeze(1)
        centers = torch.where(counts > 0, members.T @ points / counts.clamp_min(1), centers)
        before, clusters = clusters, _nearest(points, centers)
        if torch.equal(before, clusters):
            break
    return clusters, centers


def spread_points(points: Tensor, count: int, seed: int = 0) -> Tensor:
    """Centers to begin k-means with: k-means++ (Arthur & Vassilvitskii 2007), its random numbers from a seed.

    Args:
        points: (K, D), at least one. The choice is among them; where fewer differ than asked for, some come again.
        count: Number of centers.
        seed: Of the random numbers.

    Returns:
        (count, D).
    """
    drawn = torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).tolist()
    chosen = [min(int(drawn[0] * len(points)), len(points) - 1)]
    away = (points - points[chosen[0]]).square().sum(1).double()
    for number in drawn[1:]:
        mass = away.cumsum(0)
        chosen.append(min(int(torch.searchsorted(mass, number * mass[-1], right=True)), len(points) - 1))
        away = torch.minimum(away, (points - points[chosen[-1]]).square().sum(1))
    return points[chosen]


def _nearest(points: Tensor, centers: Tensor) -> Tensor:
    """(K,): the lowest index of the nearest; |p|^2 is the same for all centers."""
    return (centers.square().sum(1) - 2 * points @ centers.T).argmin(1)
