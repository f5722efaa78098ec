"""Real pieces of the datasets, in their true layout; they are not in the repository, for their licenses' sake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_PLACES = [os.environ.get("MSBENCH_REAL_DATA", ""), Path(__file__).parents[4] / "shared" / "data" / "real"]


def real(dataset: str) -> Path:
    """Their folder; the test is skipped where there are none."""
    for place in filter(None, _PLACES):
        if (folder := Path(place) / dataset).is_dir():
            return folder
    pytest.skip(f"no real {dataset} here: MSBENCH_REAL_DATA names the folder that holds some")
