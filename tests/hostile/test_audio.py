"""300 mutated WAV and FLAC files: each is read to its end, or refused in a sentence."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from msbench.audio import ffmpeg
from tests.hostile.cases import KINDS, prepare, refusal

SEED = 15


def test_mutated_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    there = ffmpeg.is_there()
    rng, slowest, refused = random.Random(SEED), 0.0, 0
    for number in range(300):
        monkeypatch.setattr(ffmpeg, "is_there", lambda tried=number % 10 == 0: there and tried)  # a tenth of a second
        started = time.monotonic()
        refused += refusal(lambda: KINDS["audio"](rng, tmp_path)) is not None
        slowest = max(slowest, time.monotonic() - started)
    assert 50 < refused < 290
    assert slowest < 5
