"""The audio is read once, in blocks, from whatever can be sliced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from msbench.metrics import bss_eval
from msbench.metrics.bsseval.correlation import Correlator
from tests.metrics.bsseval.examples import signals


class Reader:
    """Files read where they are sliced, one sample rate, one file per source."""

    def __init__(self, paths: list[Path]) -> None:
        self.files = [soundfile.SoundFile(path) for path in paths]
        self.shape = (len(paths), self.files[0].frames, self.files[0].channels)
        self.longest = 0

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        start, stop, _ = key[1].indices(self.shape[1])
        self.longest = max(self.longest, stop - start)
        for file in self.files:
            file.seek(start)
        return np.stack([file.read(stop - start, always_2d=True) for file in self.files])


@pytest.mark.usefixtures("no_handing_over")
def test_files_are_read_in_blocks_to_the_same_numbers(tmp_path: Path) -> None:
    references, estimates = signals((2, 30000, 2))
    estimates = np.round(estimates * 32768) / 32768
    readers = []
    for kind, part in (("references", references), ("estimates", estimates)):
        paths = [tmp_path / f"{kind}{s}.wav" for s in range(2)]
        for path, signal in zip(paths, part, strict=True):
            soundfile.write(path, signal, 8000, subtype="PCM_16")
        readers.append(Reader(paths))
    for window, hop in ((4000, 4000), (4000, 3000), (np.inf, np.inf)):
        scores = bss_eval(readers[0], readers[1], window, hop, filters_len=16)
        for value, wanted in zip(scores, bss_eval(references, estimates, window, hop, filters_len=16), strict=True):
            np.testing.assert_array_equal(value, wanted)
    assert readers[0].longest < 10000


def test_tensors_lists_and_threads_make_no_difference() -> None:
    references, estimates = signals((2, 3000, 1))
    expected = bss_eval(references, estimates, 1000, 1000, filters_len=8)
    for theirs, mine in (
        (torch.from_numpy(references), torch.from_numpy(estimates).requires_grad_()),
        (references.tolist(), estimates.tolist()),
    ):
        for workers in (1, 3):
            scores = bss_eval(theirs, mine, 1000, 1000, filters_len=8, workers=workers)
            for value, wanted in zip(scores, expected, strict=True):
                np.testing.assert_array_equal(value, wanted)


def test_memory_depends_on_blocks_and_not_on_the_track() -> None:
    """Nothing that the correlator reads is longer than its piece, whatever the window."""
    references, estimates = signals((1, 40000, 1))
    correlator = Correlator(references, estimates, lags=16, workers=1)
    read, lengths = correlator.read, []

    def spy(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        lengths.append(stop - start)
        return read(start, stop)

    correlator.read = spy  # type: ignore[method-assign]
    list(correlator.stretches([(0, 40000)]))
    assert max(lengths) < 32 * correlator.fft
    assert len(lengths) > 20


def test_a_full_disk_names_the_folder(tmp_path: Path) -> None:
    program = """
import resource, signal, numpy as np
from msbench.metrics import bss_eval
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
signals = np.random.default_rng(0).standard_normal((2, 4000, 1))
try:
    bss_eval(signals, signals + np.roll(signals, 1, 0), 1000, 1000)
except OSError as error:
    print(error)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot keep correlations in {tmp_path} (File too large): set TMPDIR")
