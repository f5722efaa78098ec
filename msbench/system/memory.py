"""The memory that this process has taken, and what it may still take."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Iterator
from pathlib import Path


def peak_bytes() -> int:
    """The most that was resident at once since this process started."""
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    # Of a child on Linux it would count what the parent held before the fork.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def resident_bytes() -> int | None:
    """What is resident now; None where the system does not say so (only Linux does)."""
    return _status("VmRSS")


def _status(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(f"{field}:")]
    return int(found[0][1]) * 1024 if found else None


def free_bytes(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What this process may still take, of the machine or of its container; None where neither is known."""
    free = []
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        pass
    try:
        limit, used = ((cgroup / f"memory.{each}").read_text().strip() for each in ("max", "current"))
        if limit != "max":
            free.append(int(limit) - int(used))
    except (OSError, ValueError):
        pass
    return max(0, min(free)) if free else None


@contextlib.contextmanager
def limited_memory(extra: int) -> Iterator[None]:
    """Let this process take so many bytes more than it has, within; the system refuses what is above (only Linux does).

    Raises:
        MemoryError: Within, from Python; torch raises RuntimeError.
    """
    taken = _status("VmData")
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    if taken is None or any(limit <= taken + extra for limit in bounds):
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (taken + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
