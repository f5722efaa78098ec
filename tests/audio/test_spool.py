"""The temporary file of audio."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from msbench.audio.spool import Spool


def test_a_spool_gives_back_what_was_written() -> None:
    signal = np.random.default_rng(0).standard_normal((3, 2, 1000)).astype(np.float32)
    with Spool(3, 2) as spool:
        for start, stop in ((0, 1), (1, 700), (700, 1000)):
            spool.write(signal[..., start:stop])
        assert spool.samples == 1000
        for start, stop in ((0, 1000), (699, 701), (10, 10), (999, 1000)):
            np.testing.assert_array_equal(spool.read(start, stop), signal[..., start:stop])


def test_a_full_disk_names_the_folder(tmp_path: Path) -> None:
    program = """
import resource, signal, numpy as np
from msbench.audio.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Spool(1, 1).write(np.zeros((1, 1, 10000)))
except OSError as error:
    print(error)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot keep audio in {tmp_path} (File too large): set TMPDIR")
