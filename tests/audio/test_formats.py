"""Samples of whole numbers come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.audio.formats import FORMATS
from msbench.audio.writing import stem_writer


@pytest.mark.parametrize(("kind", "bits"), [("wav16", 16), ("wav24", 24), ("flac", 24)])
def test_what_was_read_is_written_to_the_bit(tmp_path: Path, kind: str, bits: int) -> None:
    full = 2 ** (bits - 1)
    whole = np.random.default_rng(0).integers(-full, full, (2, 5000))
    whole[:, :2] = -full, full - 1
    path = tmp_path / f"a.{FORMATS[kind].extension}"
    with stem_writer({"a": path}, 44100, 2, format=kind) as write:
        write({"a": (whole / full).astype(np.float32)})
        write({"a": np.array([[1.0], [-1.5]], np.float32)})
    assert soundfile.info(path).subtype == f"PCM_{bits}"
    read = soundfile.read(path, dtype="int32")[0].T >> (32 - bits)
    np.testing.assert_array_equal(read, np.concatenate([whole, [[full - 1], [-full]]], 1))
