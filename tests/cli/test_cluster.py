"""The commands that speak to a cluster, where there is none; tests/cluster has them on a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.cli.app import main


@pytest.fixture
def suite(tmp_path: Path) -> str:
    (tmp_path / "suite.yaml").write_text("datasets: [demo]\nmodels: [mixture]\n")
    return str(tmp_path)


@pytest.mark.parametrize("flags", [[], ["--watch"], ["--json"]])
def test_the_status_of_a_suite_that_nobody_submitted(
    suite: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", suite, *flags]) == 0
    assert ('"waiting": 1' if "--json" in flags else "1 cell: 1 waiting") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["logs"], "no cell failed"),
        (["cancel"], "nothing is under way"),
        (["retry", "--failed"], "nothing to try again"),
    ],
)
def test_nothing_to_do(suite: str, command: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command[0], suite, *command[1:]]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["logs", "unet"], "is named like unet"),
        (["logs", "--lines", "0"], "--lines must be at least 1, not 0"),
        (["cancel", "mixture-demo-00000000"], "has no cell 'mixture-demo-00000000'. Did you mean mixture-demo-"),
        (["submit", "--cluster", "mine.yaml"], "no cluster profile mine.yaml: copy slurm/clusters/example.yaml"),
    ],
)
def test_bad_input(suite: str, command: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command[0], suite, *command[1:]]) == 2
    assert said in capsys.readouterr().err
