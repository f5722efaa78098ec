"""The transcript of slurm/README.md is what a suite on a private cluster prints today."""

from __future__ import annotations

from pathlib import Path

import pytest
from msbench_slurm.private_cluster import PrivateCluster

from tests.cluster.transcript import README, commands, forms, record


def in_readme() -> str:
    return README.read_text("utf-8").partition("## A transcript")[2].split("```")[1].strip("\n")


@pytest.mark.slow
def test_the_readme_shows_what_a_run_prints(
    cluster: PrivateCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.setenv("MSBENCH_PLUGINS", str(folder / "plugins"))
    made = record(cluster, folder)
    assert commands(in_readme()) == commands(made), "run `python -m tests.cluster.transcript`"
    assert forms(in_readme()) == forms(made), "run `python -m tests.cluster.transcript`"


def test_the_transcript_shows_a_failure_a_restart_and_a_board() -> None:
    text = in_readme()
    for part in ("restarts: 1", "3 cells: 2 done, 1 failed", "left alone: fragile", "| 1 | calm | system |", "code 85"):
        assert part in text
