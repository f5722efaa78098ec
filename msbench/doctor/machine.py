"""Python, the processors, memory and disks of this machine, and the programs that msbench can use."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

from msbench.doctor.finding import Finding
from msbench.system.errors import sentence
from msbench.system.memory import free_bytes
from msbench.system.threads import processors

DISK_BYTES = 2e9  # the demo songs, its runs and their checkpoints
MEMORY_BYTES = 2e9  # one training of the demo
SHARED_BYTES = 500e6  # the batches that the workers of a loader have ready
SHARED_FOLDER = Path("/dev/shm")


def python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fitting = SpecifierSet(metadata.metadata("msbench")["Requires-Python"] or "")
    fix = "uv venv --python 3.12, and install msbench there"
    yield Finding("python", fitting.contains(version), f"{version} ({fitting}), {sys.executable}", True, fix)


def cores_and_memory() -> Iterator[Finding]:
    yield Finding("cores", True, f"{processors()} of {os.cpu_count()} may be used", True, "")
    free = free_bytes()
    if free is None:
        return
    fix = "close other programs, or run one thing at a time (msbench bench --jobs 1)"
    yield Finding("memory", free >= MEMORY_BYTES, f"{free / 1e9:.1f} GB free", True, fix)


def disk() -> Iterator[Finding]:
    """The working folder, where runs and boards go; the datasets; temporary files."""
    here = Path.cwd()
    fault = _cannot_write(here)
    free = shutil.disk_usage(here).free
    if fault in (errno.ENOSPC, errno.EDQUOT) or (fault is None and free < DISK_BYTES):
        fix = f"free {DISK_BYTES / 1e9:.0f} GB there, or work on another disk"
        detail = f"{free / 1e9:.1f} GB free in {here}" if fault is None else f"{here}: {os.strerror(fault)}"
        yield Finding("disk", False, detail, True, fix)
    elif fault is not None:
        detail = f"{here} cannot be written to: {os.strerror(fault)}"
        yield Finding("disk", False, detail, True, "go to a folder of your own")
    else:
        yield Finding("disk", True, f"{free / 1e9:.1f} GB free in {here}", True, "")
    yield from _datasets()
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError as error:
        yield Finding("temporary files", False, sentence(error), True, "export TMPDIR=a folder that you can write to")
    else:
        yield Finding("temporary files", True, folder, True, "")


def _datasets() -> Iterator[Finding]:
    if not os.environ.get("MSBENCH_DATA"):
        return
    root = Path(os.environ["MSBENCH_DATA"]).expanduser()
    if root.is_dir() and not os.access(root, os.R_OK | os.X_OK):
        yield Finding("MSBENCH_DATA", False, f"{root} cannot be read", True, f"ask its owner for leave to read {root}")
    elif root.is_dir():
        fault = _cannot_write(root)
        why = "" if fault is None else f", read-only ({os.strerror(fault)}): the demo songs cannot be made there"
        yield Finding("MSBENCH_DATA", True, f"{root}{why}", True, "")
    else:
        yield Finding("MSBENCH_DATA", False, f"{root} is no folder", False, f"mkdir -p {root}, or correct MSBENCH_DATA")


def _cannot_write(folder: Path) -> int | None:
    """The error number of writing a block to a folder; None where that works."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        return error.errno
    return None


def shared_memory() -> Iterator[Finding]:
    """Containers give little of it, and a training whose loader has workers then ends with a bus error."""
    if not SHARED_FOLDER.is_dir():
        return
    total = shutil.disk_usage(SHARED_FOLDER).total
    fix = "docker run --shm-size 8g, or train with --data.workers 0"
    yield Finding("shared memory", total >= SHARED_BYTES, f"{total / 1e9:.1f} GB", False, fix)


def ffmpeg() -> Iterator[Finding]:
    missing = [tool for tool in ("ffmpeg", "ffprobe") if shutil.which(tool) is None]
    if not missing:
        yield Finding("ffmpeg", True, str(shutil.which("ffmpeg")), False, "")
        return
    detail = f"no {' and no '.join(missing)} on the PATH: M4A, AAC, WMA, video and MUSDB18's stem.mp4 cannot be read"
    yield Finding("ffmpeg", False, detail, False, "apt-get install ffmpeg, or conda install -c conda-forge ffmpeg")


def slurm() -> Iterator[Finding]:
    sbatch = shutil.which("sbatch")
    fix = "run `msbench submit` on a login node of the cluster; without one, `msbench bench` does all here"
    if sbatch is None:
        yield Finding("slurm", False, "no sbatch on the PATH", False, fix)
        return
    done = subprocess.run([sbatch, "--version"], capture_output=True, text=True, timeout=10, check=False)
    yield Finding(
        "slurm", done.returncode == 0, next(iter((done.stdout or done.stderr).splitlines()), sbatch), False, fix
    )
