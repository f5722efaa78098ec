"""The dataset that the tests of evaluation score."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.data.dataset import Dataset
from msbench.data.opening import open_dataset
from tests.tiny import write_songs


@pytest.fixture
def songs(tmp_path: Path) -> Dataset:
    return open_dataset("folder", write_songs(tmp_path / "songs"))
