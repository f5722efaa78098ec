"""`msbench doctor --cluster`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from msbench_slurm.private_cluster import PrivateCluster

from msbench.cli.app import main
from msbench.cluster import examine
from msbench.cluster.profile import Profile
from tests.cluster.jobs import write_profile


def test_the_doctor_looks_at_a_cluster(
    cluster: PrivateCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = write_profile(tmp_path, python=sys.executable)
    assert main(["doctor", "--cluster", str(profile)]) == 0
    out = capsys.readouterr().out
    assert "cluster private, SLURM" in out
    assert "at most 6 elements" in out
    assert "accounting" in out
    assert main(["doctor", "--cluster", str(write_profile(tmp_path, partition="nowhere"))]) == 1
    assert "invalid partition specified: nowhere" in capsys.readouterr().out


def test_a_machine_without_slurm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = write_profile(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor", "--cluster", str(profile)]) == 1
    assert (
        "FAIL  commands: no sbatch, scontrol, squeue, scancel  -> run this on a login node" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("profile", "detail"),
    [
        (Profile(setup=("exit 3",)), "no answer"),
        (Profile(python="/nowhere/python"), "No such file or directory"),
        (Profile(setup=("sleep 60",)), "no answer in 1 s"),
    ],
)
def test_a_python_that_does_not_start(profile: Profile, detail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "PYTHON_SECONDS", 1)
    finding = examine._python(profile)
    assert not finding.works
    assert detail in finding.detail
