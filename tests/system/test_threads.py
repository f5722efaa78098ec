from __future__ import annotations

import os
import subprocess
import sys

import pytest

from msbench.system.threads import THREAD_VARIABLES, limited_threads, processors


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="masks are Linux's")
def test_the_affinity_mask_counts() -> None:
    script = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    script += "from msbench.system.threads import processors; print(processors())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert processors() == len(os.sched_getaffinity(0))


def test_threads_are_limited_within_and_as_before_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with limited_threads(2):
        assert {os.environ[variable] for variable in THREAD_VARIABLES} == {"2"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
