"""`msbench doctor`: what works on this machine, and the fix for what does not, one finding after the other."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from msbench import registry
from msbench.system.errors import named, sentence
from msbench.system.memory import free_bytes
from msbench.system.threads import processors


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    works: bool
    detail: str
    needed: bool  # whether training, separating and scoring depend on it
    fix: str  # what to do where it does not work


DISK_BYTES = 2e9  # the demo songs, its runs and their checkpoints
MEMORY_BYTES = 2e9  # one training of the demo
REINSTALL = "install msbench again (uv sync, or pip install msbench)"


def examine() -> Iterator[Finding]:
    """Look at this machine.

    Yields:
        A finding as soon as it is known; the slow ones, which import torch and Lightning, come last. One that raises
        is a finding that does not work.
    """
    for name, look in EXAMINED:
        try:
            yield from look()
        except Exception as error:
            yield Finding(name, False, named(error), False, "msbench could not look at it")


def _python() -> Iterator[Finding]:
    version = sys.version_info
    fix = "make a virtual environment of Python 3.11 or 3.12 and install msbench there"
    yield Finding("python", (3, 11) <= version < (3, 13), f"{sys.version.split()[0]}, {sys.executable}", True, fix)


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in metadata.requires("msbench") or []]
    wrong = []
    for package in (each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})):
        try:
            version = metadata.version(package.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{package.name} is missing")
            continue
        if not package.specifier.contains(version, prereleases=True):
            wrong.append(f"{package.name} is {version}, not {package.specifier}")
    yield Finding("packages", not wrong, ", ".join(wrong) or "all that msbench asks for are here", True, REINSTALL)


def _cores_and_memory() -> Iterator[Finding]:
    yield Finding("cores", True, f"{processors()} of {os.cpu_count()} may be used", True, "")
    free = free_bytes()
    if free is None:
        return
    fix = "close other programs, or run one thing at a time (msbench bench --jobs 1)"
    yield Finding("memory", free >= MEMORY_BYTES, f"{free / 1e9:.1f} GB free", True, fix)


def _disk() -> Iterator[Finding]:
    folders = {"disk": Path.cwd()}
    if os.environ.get("MSBENCH_DATA"):
        folders["disk of MSBENCH_DATA"] = Path(os.environ["MSBENCH_DATA"]).expanduser()
    for name, folder in folders.items():
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not (there.is_dir() and os.access(there, os.W_OK)):
            fix = "go to a folder of your own" if name == "disk" else "set MSBENCH_DATA to a folder of your own"
            yield Finding(name, False, f"{there} cannot be written to", True, fix)
            continue
        free = shutil.disk_usage(there).free
        detail = f"{free / 1e9:.1f} GB free in {folder}"
        yield Finding(
            name, free >= DISK_BYTES, detail, True, f"free {DISK_BYTES / 1e9:.0f} GB, or work on another disk"
        )


def _audio() -> Iterator[Finding]:
    fix = "pip install --upgrade soundfile: its wheels hold libsndfile 1.2 with FLAC and MP3"
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package is here, libsndfile is not
        yield Finding("soundfile", False, named(error), True, fix)
    else:
        formats = soundfile.available_formats()
        missing = [each for each in ("WAV", "FLAC", "MP3") if each not in formats]
        detail = f"{soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}"
        detail += f", without {' and '.join(missing)}" if missing else " with WAV, FLAC and MP3"
        yield Finding("soundfile", not missing, detail, "WAV" in missing, fix)
    yield _imported("soxr", "soxr", True, REINSTALL)


def _scoring() -> Iterator[Finding]:
    works, detail = True, ""
    try:
        from msbench.metrics.bsseval.museval import museval_metrics

        museval_metrics()
    except Exception as error:
        works, detail = False, named(error)
    tools = [tool for tool in ("ffmpeg", "ffprobe") if shutil.which(tool) is None]
    if works:
        detail = f"{metadata.version('museval')}, its metrics can be read"
        detail += f" (`import museval` itself fails without {' and '.join(tools)}; msbench does not)" if tools else ""
    yield Finding("museval", works, detail, True, REINSTALL)
    if tools:
        detail = f"no {' and no '.join(tools)} on the PATH: musdb cannot read MUSDB18's stem.mp4 (all else is read)"
        yield Finding("musdb and ffmpeg", False, detail, False, "apt-get install ffmpeg, or use musdb18hq")
    else:
        yield _imported("musdb and ffmpeg", "musdb", False, REINSTALL)


def _wandb() -> Iterator[Finding]:
    try:
        detail, works = metadata.version("wandb"), True
    except metadata.PackageNotFoundError:
        detail, works = "not installed; `msbench fit --wandb` alone needs it", False
    yield Finding("wandb", works, detail, False, "pip install 'msbench[wandb]'")


def _slurm() -> Iterator[Finding]:
    sbatch = shutil.which("sbatch")
    fix = "run `msbench submit` on a login node of the cluster; without one, `msbench bench` does all here"
    if sbatch is None:
        yield Finding("slurm", False, "no sbatch on the PATH", False, fix)
        return
    done = subprocess.run([sbatch, "--version"], capture_output=True, text=True, timeout=10, check=False)
    yield Finding(
        "slurm", done.returncode == 0, next(iter((done.stdout or done.stderr).splitlines()), sbatch), False, fix
    )


def _plugins() -> Iterator[Finding]:
    for kind in registry.KINDS:
        fix = "correct or uninstall what brings them; `msbench list` shows where each comes from"
        try:
            found = registry.entries(kind)
        except FileNotFoundError as error:
            yield Finding(kind, False, sentence(error), True, "unset MSBENCH_PLUGINS, or correct it")
            continue
        # Code that reading alone cannot judge is not run here: it may be a stranger's.
        verdicts = {name: registry.judge(entry) for name, entry in found.items()}
        errors = {name: None if verdict is registry.UNSURE else verdict for name, verdict in verdicts.items()}
        unsure = [name for name, verdict in verdicts.items() if verdict is registry.UNSURE]
        broken = [f"{name} is broken: {error}" for name, error in errors.items() if error]
        if not found:
            fix = REINSTALL
        # Without one of ours something is amiss; a stranger's broken plugin stops nothing else.
        ours = any(errors[name] and entry.module.startswith("msbench") for name, entry in found.items())
        registered = f"{len(found)} registered: {', '.join(found)}"
        detail = "; ".join(broken) or "; ".join([registered, *map(_unchecked, unsure)])
        yield Finding(kind, bool(found) and not broken, detail, ours or not found, fix)


def _unchecked(name: str) -> str:
    return f"{name} is unchecked (msbench check {name} imports it)"


def _demo() -> Iterator[Finding]:
    from msbench.data.dataset import default_root

    root = default_root("demo")
    if not root.is_dir() or not any(root.iterdir()):
        yield Finding(
            "demo songs", False, f"not in {root} yet", False, "they are made at first use, or by msbench data demo"
        )
        return
    try:
        registry.load("datasets", "demo")(root)
    except ValueError as error:
        yield Finding("demo songs", False, sentence(error), True, f"remove {root}")
        return
    yield Finding("demo songs", True, str(root), False, "")


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:
        yield Finding("torch", False, named(error), True, REINSTALL)
        return
    detail = f"{torch.__version__}, {torch.get_num_threads()} CPU thread(s)"
    yield Finding("torch", True, detail, True, "")
    driver = shutil.which("nvidia-smi")
    if not torch.cuda.is_available():
        detail = "none: everything runs on the CPU"
        fix = "train large models on a machine with an NVIDIA GPU"
        if driver and torch.version.cuda is None:
            detail, fix = (
                "there is an NVIDIA driver, but this torch is built without CUDA",
                "install a CUDA build of torch",
            )
        elif driver:
            detail = f"there is an NVIDIA driver, but torch (CUDA {torch.version.cuda}) sees no GPU"
            fix = "see what nvidia-smi and CUDA_VISIBLE_DEVICES say, and whether the driver is as new as that CUDA"
        yield Finding("gpu", False, detail, False, fix)
        return
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        with torch.cuda.device(index):
            bf16 = "with" if torch.cuda.is_bf16_supported(including_emulation=False) else "without"
        detail = f"{device.name}, {device.total_memory / 1e9:.0f} GB, {bf16} bf16"
        yield Finding(f"gpu {index}", True, detail, False, "")


def _libraries() -> Iterator[Finding]:
    yield _imported("lightning", "lightning.pytorch", True, REINSTALL)


def _imported(name: str, module: str, needed: bool, fix: str) -> Finding:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
        version = metadata.version(module.partition(".")[0])
    except Exception as error:  # a library that does not fit its neighbours may raise anything
        return Finding(name, False, named(error), needed, fix)
    return Finding(name, True, version, needed, fix)


EXAMINED: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
    ("python", _python),
    ("packages", _packages),
    ("memory", _cores_and_memory),
    ("disk", _disk),
    ("audio", _audio),
    ("scoring", _scoring),
    ("wandb", _wandb),
    ("slurm", _slurm),
    ("plugins", _plugins),
    ("demo songs", _demo),
    ("torch", _torch),
    ("libraries", _libraries),
)
