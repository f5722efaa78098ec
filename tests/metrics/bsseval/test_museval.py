"""museval's own evaluator, as a backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from msbench.metrics import bss_eval
from tests.metrics.bsseval.examples import assert_museval, signals


@pytest.mark.parametrize("options", [{}, {"framewise_filters": True}, {"bsseval_sources_version": True}])
@pytest.mark.parametrize("backend", ["fast", "museval"])
def test_every_argument_of_museval(options: dict[str, Any], backend: str) -> None:
    references, estimates = signals((2, 3000, 1))
    scores = bss_eval(references, estimates, 1000, 1000, filters_len=8, backend=backend, **options)
    flags = [options.get(name, False) for name in ("framewise_filters", "bsseval_sources_version")]
    assert_museval(scores, references, estimates, 1000, 1000, False, 8, *flags)


def test_museval_solves_singular_systems_by_least_squares() -> None:
    """numpy 2 has no np.linalg.linalg, which museval names where it catches the singular matrix."""
    references, estimates = signals((2, 2000, 1))
    references[1] = references[0]
    sdr, _, _, sar, _ = bss_eval(references, estimates, 2000, 2000, filters_len=1, backend="museval")
    assert np.isfinite(sdr).all()
    assert np.isfinite(sar).all()
    assert not hasattr(np.linalg, "linalg") or np.lib.NumpyVersion(np.__version__) < "2.0.0"


def test_neither_backend_needs_ffmpeg_and_the_import_is_light(tmp_path: Path) -> None:
    program = """
import sys
from msbench.metrics import bss_eval
heavy = {"torch", "lightning", "museval", "musdb", "stempeg"} & set(sys.modules)
assert not heavy, heavy
import numpy as np
signals = np.random.default_rng(0).standard_normal((2, 2000, 1))
for backend in ("fast", "museval"):
    bss_eval(signals, signals + np.roll(signals, 1, 0), 1000, 1000, filters_len=4, backend=backend)
assert not {"museval", "musdb", "stempeg"} & set(sys.modules)
"""
    environment = {**os.environ, "PATH": str(tmp_path)}  # no ffmpeg in it
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
