from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from msbench.system.memory import free_bytes, peak_bytes, resident_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_peak_stays_when_memory_is_given_back() -> None:
    before = resident_bytes()
    taken = np.ones(50_000_000 // 8 * 8, np.uint8)
    assert before is not None
    held = resident_bytes()
    assert held is not None
    assert held - before > 40_000_000
    del taken
    assert peak_bytes() > before + 40_000_000  # the kernel counts in pages, each core for itself


def test_the_smaller_of_machine_and_container_is_free(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 5000 kB\n")
    assert free_bytes(meminfo, tmp_path) == 5000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert free_bytes(meminfo, tmp_path) == 2_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(meminfo, tmp_path) == 5000 * 1024
    (tmp_path / "memory.max").write_text("500000\n")  # more than its limit, for a moment
    assert free_bytes(meminfo, tmp_path) == 0
    assert free_bytes(tmp_path / "absent", tmp_path / "absent") is None
