"""Where a number came from: the code, the processor and the driver that made it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

from msbench.public import VERSION
from msbench.records.types import Code
from msbench.system.files import sha256_of


@cache
def code_state() -> Code:
    """Version, commit and a hash of uncommitted changes of msbench's own code (None outside a git checkout)."""
    folder = Path(__file__).parent.parent  # msbench/

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=20
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    root = git("rev-parse", "--show-toplevel")
    # An installed package may lie within a checkout of something else.
    ours = root is not None and folder.parent == Path(root)
    changes = git("diff", "HEAD") if ours else None
    lock = folder.parent / "uv.lock"
    return {
        "msbench": VERSION,
        "commit": git("rev-parse", "HEAD") if ours else None,
        "dirty": hashlib.sha256(changes.encode()).hexdigest() if changes else None,
        "lock_sha256": sha256_of(lock) if ours and lock.is_file() else None,
    }


@cache
def hardware() -> str:
    """The processor, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


@cache
def driver() -> str | None:
    """The NVIDIA driver in its own words, where there is one."""
    try:
        return Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    except OSError:
        return None
