"""200 mutated tables and lists of prepared songs: each is opened, with plain names alone, or refused in a sentence."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.hostile.cases import KINDS, prepare, refusal

SEED = 15


@pytest.mark.parametrize(("kind", "count"), [("table", 150), ("prepared list", 50)])
def test_mutated_tables(kind: str, count: int, tmp_path: Path) -> None:
    prepare(tmp_path)
    rng, slowest, refused = random.Random(SEED), 0.0, 0
    for _ in range(count):
        started = time.monotonic()
        refused += refusal(lambda: KINDS[kind](rng, tmp_path)) is not None
        slowest = max(slowest, time.monotonic() - started)
    assert count // 10 < refused < count
    assert slowest < 5
