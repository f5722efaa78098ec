"""k-means: scikit-learn's clusters from the same start, the same from call to call, and no failure without points."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from msbench.model.clustering import kmeans, spread_points
from tests.requirements import peer


def blobs(*sizes: int, spread: float = 0.3) -> torch.Tensor:
    """Points around the corners of a cube."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.eye(8)[: len(sizes)] * 2
    return torch.cat([c + spread * torch.randn(n, 8, generator=generator) for c, n in zip(corners, sizes, strict=True)])


@pytest.mark.parametrize("steps", [1, 3, 100])
@pytest.mark.parametrize("spread", [0.3, 1.5])
def test_the_clusters_are_scikit_learns_from_the_same_start(steps: int, spread: float) -> None:
    points = blobs(50, 200, 10, spread=spread).double()
    start = points[:3]  # all of one blob
    clusters, centers = kmeans(points, start, steps)
    theirs = peer("sklearn.cluster").KMeans(3, init=start.numpy(), n_init=1, max_iter=steps, tol=0).fit(points.numpy())
    np.testing.assert_array_equal(clusters.numpy(), theirs.labels_)
    np.testing.assert_allclose(centers.numpy(), theirs.cluster_centers_, atol=1e-9)


def test_without_steps_each_point_gets_its_nearest_center() -> None:
    points, start = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.tensor([[4.0], [-1.0]])
    clusters, centers = kmeans(points, start, 0)
    assert clusters.tolist() == [1, 1, 0, 0]
    assert torch.equal(centers, start)


def test_a_center_without_points_stays() -> None:
    clusters, centers = kmeans(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [100.0]]))
    assert clusters.tolist() == [0, 0]
    assert centers.tolist() == [[1.0], [100.0]]
    assert kmeans(torch.zeros(0, 3), torch.ones(2, 3))[0].shape == (0,)


def test_the_start_is_spread_and_the_same_in_each_call() -> None:
    points = blobs(500, 500, 500, spread=0.01)
    start = spread_points(points, 3)
    assert sorted(start.argmax(1).tolist()) == [0, 1, 2]  # one of each blob
    assert torch.equal(start, spread_points(points, 3))
    assert not torch.equal(start, spread_points(points, 3, seed=1))


def test_fewer_points_than_centers() -> None:
    for points in (torch.ones(1, 4), torch.ones(5, 4)):
        assert spread_points(points, 3).tolist() == [[1.0] * 4] * 3
