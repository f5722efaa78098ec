"""Several devices: what is asked for has to be there, and processes have to match it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy

from msbench.training.devices import PATIENCE, parallel_settings


def settings(**given: Any) -> dict[str, Any]:
    trainer = {"accelerator": "cpu", "devices": "auto", "num_nodes": 1, "strategy": "auto", **given}
    return parallel_settings(SimpleNamespace(**trainer))


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)


def test_one_device_needs_nothing() -> None:
    assert settings() == {}
    assert settings(devices=1) == settings(devices="1") == {}


def test_ranks_wait_no_longer_than_our_patience() -> None:
    for given in ({"devices": 2}, {"devices": 1, "num_nodes": 2}):
        strategy = settings(**given)["strategy"]
        assert isinstance(strategy, DDPStrategy)
        assert strategy._timeout == PATIENCE
    assert "strategy" not in settings(devices=2, strategy="fsdp")  # a strategy that was chosen stays


def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(ValueError, match=r"2 GPUs are asked for on each node and 1 are visible here.*DEVICES is 0\)"):
        settings(accelerator="gpu", devices=2)


def test_processes_of_slurm_have_to_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "train")
    with pytest.raises(ValueError, match="1 nodes of 2 devices need 2 processes and srun started 4"):
        settings(devices=2)
    with pytest.raises(ValueError, match="the job's settings of srun do not serve: You set `--ntasks=4`"):
        settings(devices=2, num_nodes=2)
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    (environment,) = settings(devices=2, num_nodes=2)["plugins"]
    assert not environment.auto_requeue
