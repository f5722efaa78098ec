"""The temporary file of audio."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from msbench.audio.spool import Spool


def test_a_spool_gives_back_what_was_written() -> None:
    signal = np.random.default_rng(0).standard_normal((3, 2, 1000)).astype(np.float32)
    with Spool() as spool:
        for start, stop in ((0, 1), (1, 700), (700, 1000)):
            spool.write(signal[..., start:stop])
        assert spool.samples == 1000
        for start, stop in ((0, 1000), (699, 701), (10, 10), (999, 1000)):
            np.testing.assert_array_equal(spool.read(start, stop), signal[..., start:stop])


def test_copies_of_a_stream_go_at_their_own_pace() -> None:
    signal = np.random.default_rng(0).standard_normal((1, 2, 200_000)).astype(np.float32)
    given: list[int] = []

    def stream() -> Iterator[np.ndarray]:
        for start in range(0, 200_000, 50_000):
            given.append(start)
            yield signal[..., start : start + 50_000]

    with Spool() as spool:
        source = stream()
        first, second = spool.copy(source), spool.copy(source)
        ahead = [next(first), next(first), next(first)]
        np.testing.assert_array_equal(np.concatenate(list(second), -1), signal)
        np.testing.assert_array_equal(np.concatenate([*ahead, *first], -1), signal)
    assert given == [0, 50_000, 100_000, 150_000]


def test_a_full_disk_names_the_folder(tmp_path: Path) -> None:
    program = """
import resource, signal, numpy as np
from msbench.audio.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Spool().write(np.zeros((1, 1, 10000)))
except OSError as error:
    print(error)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot keep audio in {tmp_path} (File too large): set TMPDIR")
