"""Why torch sees no GPU: by what nvidia-smi says and what torch is built for; the fix is a line that works."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.doctor import gpu


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the driver's tool; each test writes what it prints."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpu, "install", lambda *names, again=False: f"install {' '.join(names)}{' again' * again}")
    return tmp_path / "nvidia-smi"


def prints(tool: Path, text: str, code: int = 0) -> None:
    tool.write_text(f"#!/bin/sh\necho '{text}'\nexit {code}\n")
    tool.chmod(0o755)


@pytest.mark.parametrize(
    ("driver", "built_for", "said", "fix"),
    [
        ("12.4", "13.0", "serves CUDA 12.4, but this torch is built for CUDA 13.0", "install torch<2.11 again"),
        ("11.4", "12.8", "serves CUDA 11.4, and torch needs 12 or newer", "update the NVIDIA driver to 525 or newer"),
        ("12.4", None, "this torch is built without CUDA", "install torch<2.11 again"),
        ("13.0", None, "this torch is built without CUDA", "install torch again"),
        ("13.0", "12.8", "torch (CUDA 12.8) sees no GPU", "see python -c 'import torch; torch.cuda.init()'"),
    ],
)
def test_by_the_driver(driver: str, built_for: str | None, said: str, fix: str, nvidia_smi: Path) -> None:
    prints(nvidia_smi, f"| NVIDIA-SMI 550.54 Driver Version: 550.54 CUDA Version: {driver} |")
    detail, found = gpu.why_none(built_for)
    assert said in detail
    assert found == fix


def test_hidden_gpus(nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prints(nvidia_smi, "CUDA Version: 12.8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu.why_none("12.8") == (
        "CUDA_VISIBLE_DEVICES is '', which shows torch no GPU",
        "unset CUDA_VISIBLE_DEVICES",
    )


def test_a_driver_that_is_not_loaded_and_no_driver(nvidia_smi: Path) -> None:
    assert gpu.why_none("12.8")[0] == "none: everything runs on the CPU"
    prints(nvidia_smi, "NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver", 9)
    detail, fix = gpu.why_none("12.8")
    assert detail.startswith("nvidia-smi says: NVIDIA-SMI has failed")
    assert fix.startswith("on a cluster, run this in a job with a GPU")
