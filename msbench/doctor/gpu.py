"""PyTorch and the GPUs that it sees; where it sees none, why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from msbench.doctor.finding import Finding
from msbench.doctor.installing import install, mend
from msbench.system.errors import named, one_line

# The first release whose wheels on PyPI are built for CUDA 13, by their requirements (nvidia-cuda-runtime 13.0 of
# torch 2.11.0; 12.8 of torch 2.10.0). A driver serves every CUDA of its own major version, and older ones.
FIRST_OF_CUDA_13 = "2.11"


def torch_and_gpus() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:
        yield Finding("torch", False, named(error), True, mend(error, "torch"))
        return
    yield Finding("torch", True, f"{torch.__version__}, {torch.get_num_threads()} CPU thread(s)", True, "")
    if torch.cuda.is_available():
        yield from _gpus(torch)
    else:
        detail, fix = why_none(torch.version.cuda)
        yield Finding("gpu", False, detail, False, fix)


def _gpus(torch: Any) -> Iterator[Finding]:
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        detail = f"{device.name}, {device.total_memory / 1e9:.0f} GB"
        try:
            (torch.ones(8, device=f"cuda:{index}") + 1).sum().item()
        except RuntimeError as error:  # taken by another process, broken, or of a generation that torch has no code for
            fix = f"see nvidia-smi; this torch has code for {', '.join(torch.cuda.get_arch_list())}"
            yield Finding(f"gpu {index}", False, f"{detail}: {named(error)}", False, fix)
            continue
        with torch.cuda.device(index):
            bf16 = "with" if torch.cuda.is_bf16_supported(including_emulation=False) else "without"
        yield Finding(f"gpu {index}", True, f"{detail}, {bf16} bf16", False, "")


def why_none(built_for: str | None) -> tuple[str, str]:
    """Why torch sees no GPU, and the fix.

    Args:
        built_for: The CUDA that torch is built for, such as "12.8"; None for a build without.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none: everything runs on the CPU", "train large models on a machine with an NVIDIA GPU"
    try:
        done = subprocess.run([tool], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi cannot be run ({named(error)})", "repair the NVIDIA driver, or ask who runs this machine"
    if done.returncode:
        said = one_line(done.stdout or done.stderr, 200)
        return f"nvidia-smi says: {said}", "on a cluster, run this in a job with a GPU; else repair the NVIDIA driver"
    return _why_not_with(done.stdout, built_for)


def _why_not_with(printed: str, built_for: str | None) -> tuple[str, str]:
    """The same, by what nvidia-smi printed of the driver."""
    found = re.search(r"CUDA Version: *(\d+)\.(\d+)", printed)
    driver = (int(found[1]), int(found[2])) if found else None
    serves = f"the NVIDIA driver serves CUDA {driver[0]}.{driver[1]}" if driver else "there is an NVIDIA driver"
    if driver and driver[0] < 12:
        return f"{serves}, and torch needs 12 or newer", "update the NVIDIA driver to 525 or newer"
    fitting = "torch" if driver is None or driver[0] >= 13 else f"torch<{FIRST_OF_CUDA_13}"
    if built_for is None:
        return f"{serves}, but this torch is built without CUDA", install(fitting, again=True)
    if driver and int(built_for.split(".")[0]) > driver[0]:
        return f"{serves}, but this torch is built for CUDA {built_for}", install(fitting, again=True)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return f"CUDA_VISIBLE_DEVICES is '{hidden}', which shows torch no GPU", "unset CUDA_VISIBLE_DEVICES"
    return f"{serves}, but torch (CUDA {built_for}) sees no GPU", "see python -c 'import torch; torch.cuda.init()'"
