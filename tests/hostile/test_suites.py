"""400 mutated suites, sweeps, cluster profiles and recipes: each is read, or refused in a sentence, at once."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.hostile.cases import KINDS, refusal

SEED = 15


@pytest.mark.parametrize("kind", ["suite", "sweep", "profile", "recipe"])
def test_mutated_yaml(kind: str, tmp_path: Path) -> None:
    rng, slowest, refused = random.Random(SEED), 0.0, 0
    for _ in range(100):
        started = time.monotonic()
        refused += refusal(lambda: KINDS[kind](rng, tmp_path)) is not None
        slowest = max(slowest, time.monotonic() - started)
    assert refused > 20
    assert slowest < 5
    assert not list(Path.cwd().glob("canary"))
