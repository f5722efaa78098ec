"""One private SLURM cluster for all tests of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msbench_slurm.private_cluster import PrivateCluster, private_cluster

from tests.requirements import require


@pytest.fixture(scope="session")
def _running() -> Iterator[PrivateCluster]:
    require("slurm")
    with private_cluster(max_array=6) as cluster:
        yield cluster


@pytest.fixture
def cluster(_running: PrivateCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateCluster]:
    """The cluster, with the environment that SLURM's commands need to speak to it, and no job left from before."""
    for key, value in _running.variables.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("PATH", _running.path)
    yield _running
    _running.clear()
