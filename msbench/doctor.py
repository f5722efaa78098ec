"""What works on this machine, and the fix for what does not."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msbench import registry

ENOUGH_DISK_GB = 2.0  # the demo's songs, two runs and their tables take a tenth of it


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `needed` marks what the main job cannot do without."""

    name: str
    works: bool
    detail: str
    needed: bool = True
    fix: str = ""


def examine() -> Iterator[Finding]:
    """Look at the machine, one finding at a time."""
    version = sys.version.split()[0]
    yield Finding("Python", sys.version_info >= (3, 11), version, fix="use Python 3.11 or 3.12")
    for package in ("torch", "torchaudio", "lightning", "asteroid", "soundfile", "soxr"):
        yield _imports(package)
    yield _gpu()
    yield _audio_formats()
    ffmpeg = all(shutil.which(tool) for tool in ("ffmpeg", "ffprobe"))
    yield Finding("ffmpeg", ffmpeg, "ffmpeg and ffprobe, for musdb18's stem mp4 and for `import museval`", needed=False,
                  fix="apt-get install ffmpeg")  # fmt: skip
    yield _imports("wandb", needed=False, fix="pip install 'msbench[wandb]'")
    slurm = all(shutil.which(tool) for tool in ("sbatch", "sinfo"))
    yield Finding("SLURM", slurm, "sbatch and sinfo", needed=False, fix="log in to a cluster, or use `msbench bench`")
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    yield Finding("disk", free >= ENOUGH_DISK_GB, f"{free:.1f} GB free here", fix=f"free {ENOUGH_DISK_GB:.0f} GB")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield Finding("machine", memory >= 4, f"{os.cpu_count()} cores, {memory:.0f} GB of memory", fix="4 GB are needed")
    data = Path(os.environ.get("MSBENCH_DATA") or "data").expanduser()
    yield Finding("data", data.is_dir(), f"data sets are looked for in {data.resolve()}", needed=False,
                  fix="msbench data demo, or set MSBENCH_DATA")  # fmt: skip
    yield from _plugins()


def _imports(package: str, needed: bool = True, fix: str = "uv sync, or pip install msbench again") -> Finding:
    try:
        module = importlib.import_module(package)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        return Finding(package, False, lines[0], needed, fix)
    return Finding(package, True, str(getattr(module, "__version__", "imports")), needed)


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", False, "none that torch sees; models run on the CPU", needed=False,
                       fix="check the driver with nvidia-smi")  # fmt: skip
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    names = ", ".join(f"{card.name} ({card.total_memory / 2**30:.0f} GiB)" for card in cards)
    return Finding("GPU", True, names + (", bf16" if torch.cuda.is_bf16_supported() else ""), needed=False)


def _audio_formats() -> Finding:
    import soundfile

    missing = {"WAV", "FLAC", "MP3"} - set(soundfile.available_formats())
    detail = f"{soundfile.__libsndfile_version__} reads {'wav, flac, mp3' if not missing else f'no {missing}'}"
    return Finding("audio files", not missing, detail, fix="pip install --upgrade soundfile")


def _plugins() -> Iterator[Finding]:
    for kind in registry.KINDS:
        for entry in registry.entries(kind).values():
            error = registry.error_of(entry)
            if error:
                yield Finding(entry.described(), False, error, needed=False, fix="mend or uninstall it")
        yield Finding(kind, True, ", ".join(registry.entries(kind)), needed=False)
