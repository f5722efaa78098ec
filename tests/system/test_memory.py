from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from msbench.system.memory import free_bytes

# In a process of its own: what pytest's gives back meanwhile would be counted too.
TAKEN = """
from msbench.system.memory import peak_bytes, resident_bytes
before = resident_bytes()
taken = bytearray(b"x") * 200_000_000
held = resident_bytes()
del taken
print(held - before, peak_bytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_peak_stays_when_memory_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", TAKEN], check=True, capture_output=True, text=True)
    held, peak = map(int, done.stdout.split())
    assert held > 150_000_000
    assert peak > 150_000_000


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
