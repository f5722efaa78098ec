"""Submissions: what plan.json keeps, what sbatch is asked, and what an older msbench has written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.cluster import slurm
from msbench.cluster.journal import SbatchJournal
from msbench.cluster.plan import make_plan
from msbench.cluster.profile import Profile
from msbench.cluster.submission import Submission, SubmittedArray, submissions
from msbench.runs.suite import Suite, read_suite

# As the first release wrote them.
OLD_PLAN = """{
 "arrays": [
  {"name": "train-1", "stage": "train", "after": null, "cells": ["a-demo-s0-01234567", "b-demo-s0-01234567"]},
  {"name": "evaluate-1", "stage": "evaluate", "after": "train-1",
   "cells": ["a-demo-s0-01234567", "b-demo-s0-01234567"]}
 ]
}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "suite.yaml").write_text(
        "board: small\ndatasets: [demo]\nseeds: [0, 1]\nmodels: [unet_small, mixture]\n"
    )
    return read_suite(tmp_path)


class Sbatch:
    """Stands in for SLURM: gives each job a number, and refuses those of one name."""

    def __init__(self, refused: str = "") -> None:
        self.calls: list[list[str]] = []
        self.refused = refused

    def __call__(self, *command: str) -> str:
        self.calls.append([word for word in command[2:] if not word.startswith("--job-name")])
        if self.refused and self.refused in command[-1]:
            raise RuntimeError("sbatch says: no")
        return f"{len(self.calls)};private\n"


def say(_: str) -> None:
    pass


def test_a_plan_is_written_read_and_sent(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Submission.create(make_plan(suite), Profile())
    assert made.folder == suite.folder / "jobs" / "0001"
    assert [*submissions(suite.folder)] == [made] == [Submission.read(made.folder)]
    assert {path.name for path in made.folder.iterdir()} == {
        *("aggregate.sh", "logs", "plan.json"),
        *(f"{array.name}{end}" for array in made.arrays for end in (".sh", ".cells")),
    }
    sbatch, journal = Sbatch(), SbatchJournal.of(suite)
    monkeypatch.setattr(slurm, "call", sbatch)
    assert made.send(journal, "small", say) == [1, 2, 3, 4]
    folder = made.folder
    assert sbatch.calls == [
        [str(folder / "train-1.sh")],
        ["--dependency=aftercorr:1", "--kill-on-invalid-dep=yes", str(folder / "evaluate-1.sh")],
        [str(folder / "evaluate-2.sh")],
        ["--dependency=afterany:1:2:3", str(folder / "aggregate.sh")],
    ]
    latest = made.latest(SbatchJournal.of(suite), "evaluate-1")
    assert latest is not None
    assert latest.job == 2


def test_elements_are_sent_again(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Submission.create(make_plan(suite), Profile())
    sbatch = Sbatch()
    monkeypatch.setattr(slurm, "call", sbatch)
    first, second, floor = (cell.name for cell in suite.cells)
    elements = made.elements({second: "train", floor: "evaluate"})
    assert elements == {"train-1": [1], "evaluate-1": [1], "evaluate-2": [0]}
    assert made.elements({first: "evaluate"}) == {"evaluate-1": [0]}
    made.send(SbatchJournal.of(suite), "small", say, elements)
    assert [call[0] for call in sbatch.calls[:3]] == ["--array=1", "--array=1", "--array=0"]


def test_what_slurm_refuses_is_forgotten(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    made, journal = Submission.create(make_plan(suite), Profile()), SbatchJournal.of(suite)
    monkeypatch.setattr(slurm, "call", Sbatch(refused="evaluate-1.sh"))
    with pytest.raises(RuntimeError, match="sbatch says: no"):
        made.send(journal, "small", say)
    made.abandon(journal)
    kept = Submission.read(made.folder)
    assert kept.abandoned
    assert [array.name for array in kept.arrays] == ["train-1"]


def test_plans_of_the_first_release_are_read(tmp_path: Path) -> None:
    for name, text in (("0001", OLD_PLAN), ("0002", OLD_PLAN.rstrip().removesuffix("}") + ', "abandoned": true}')):
        (tmp_path / "jobs" / name).mkdir(parents=True)
        (tmp_path / "jobs" / name / "plan.json").write_text(text)
    (tmp_path / "jobs" / "0003").mkdir()  # of a process that was killed before it wrote a plan
    (tmp_path / "jobs" / "dry-run").mkdir()
    first, second = submissions(tmp_path)
    cells = ("a-demo-s0-01234567", "b-demo-s0-01234567")
    arrays = (SubmittedArray("train-1", "train", cells), SubmittedArray("evaluate-1", "evaluate", cells, "train-1"))
    assert first == Submission(tmp_path / "jobs" / "0001", arrays)
    assert second == Submission(tmp_path / "jobs" / "0002", arrays, abandoned=True)
    assert first.arrays[0].log(first.folder, 1) == tmp_path / "jobs" / "0001" / "logs" / "train-1_1.log"


@pytest.mark.parametrize("text", ["", "[]", '{"arrays": 3}', json.dumps({"arrays": [{"name": "train-1"}]})])
def test_a_plan_that_somebody_broke_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ValueError, match=r"plan.json is not the plan of a submission: remove .* and submit again"):
        Submission.read(tmp_path)


def test_a_sweep_is_an_array_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "suite.yaml").write_text(
        "datasets: [demo]\nseeds: [0, 1]\nmodels:\n"
        "  - {recipe: unet_small, sweep: {separator.depth: [2, 3, 4]}, zip: {data.batch_size: [2, 4]}}\n"
        "  - {model: oracle_irm, sweep: {separator.alpha: [1, 2]}}\n"
    )
    (tmp_path / "profile.yaml").write_text("partition: short\n")
    sbatch = Sbatch()
    monkeypatch.setattr(slurm, "call", sbatch)
    monkeypatch.setattr(slurm, "configuration", lambda: {"MaxArraySize": "1001"})
    assert main(["submit", str(tmp_path), "--cluster", str(tmp_path / "profile.yaml"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "train-1: 12 cells; " in said
    assert "evaluate-1: 12 cells after train-1; " in said
    assert "evaluate-2: 2 cells; " in said
    dry_run = tmp_path / "jobs" / "dry-run"
    names = [cell.name for cell in read_suite(tmp_path).cells]
    assert (dry_run / "train-1.cells").read_text().split() == names[:12]
    assert names[0].startswith("unet_small-depth2-batch_size2-demo-s0-")
    assert (dry_run / "evaluate-2.cells").read_text().split() == names[12:]
    assert "#SBATCH --array=0-11" in (dry_run / "train-1.sh").read_text()
