"""Stems beyond full scale, by each way of `--clip`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench.separation.levels import Levels

BLOCKS = [
    {"a": np.full((2, 3), 0.5, np.float32), "b": np.full((2, 3), -2.0, np.float32)},
    {"a": np.full((2, 1), 1.5, np.float32), "b": np.zeros((2, 1), np.float32)},
]


@pytest.mark.parametrize(
    ("clip", "a", "b"),
    [
        ("none", [0.5, 0.5, 0.5, 1.5], [-2, -2, -2, 0]),
        ("clamp", [0.5, 0.5, 0.5, 1], [-1, -1, -1, 0]),
        ("rescale", [0.25, 0.25, 0.25, 0.75], [-1, -1, -1, 0]),
    ],
)
def test_each_way(tmp_path: Path, clip: str, a: list[float], b: list[float]) -> None:
    written: list[dict[str, np.ndarray]] = []
    levels = Levels(clip, written.append, tmp_path)  # type: ignore[arg-type]
    for block in BLOCKS:
        levels.write(block)
    levels.close()
    assert levels.peak == 2
    for stem, wanted in (("a", a), ("b", b)):
        np.testing.assert_array_equal(np.concatenate([block[stem] for block in written], 1), [wanted, wanted])
    assert not [*tmp_path.iterdir()]


def test_what_is_below_full_scale_is_not_turned_up(tmp_path: Path) -> None:
    written: list[dict[str, np.ndarray]] = []
    levels = Levels("rescale", written.append, tmp_path)  # type: ignore[arg-type]
    levels.write({"a": np.full((1, 4), 0.25, np.float32)})
    levels.close()
    np.testing.assert_array_equal(written[0]["a"], [[0.25] * 4])
