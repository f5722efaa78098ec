"""One stage of one cell as a process: its exit codes, and what it leaves in the run's folder."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msbench import records
from msbench.cluster.cell import main
from msbench.runs.state import attempts, is_trained, read_state
from msbench.runs.suite import Cell, Suite, read_suite
from msbench.training.module import SeparationModule
from tests.tiny import write_model, write_songs

SUITE = """
board: tiny
datasets: [folder]
roots: {folder: songs}
models:
  - recipe: tiny.yaml
  - {recipe: tiny.yaml, label: exploding, set: {separator.explode: true}}
  - {recipe: tiny.yaml, label: wrong, set: {data.chunk_seconds: -1}}
  - mixture
  - {model: mixture, label: short, inference: {chunk_seconds: 0.5, batch_size: 2}}
"""
RECIPE = """
name: tiny
data: {chunk_seconds: 0.25, chunks_per_epoch: 16, batch_size: 2}
trainer: {max_epochs: 2, accelerator: cpu}
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    write_songs(tmp_path / "songs")
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGTERM)}
    yield read_suite(tmp_path)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def cell_of(suite: Suite, label: str) -> Cell:
    return next(cell for cell in suite.cells if cell.label == label)


def run(suite: Suite, label: str, stage: str) -> int:
    return main([str(suite.path), cell_of(suite, label).name, "--stage", stage])


def test_a_cell_is_trained_and_scored_once(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = suite.run_folder(cell_of(suite, "tiny"))
    assert run(suite, "tiny", "evaluate") == 2  # not trained yet
    assert "run the cell's stage `train` first" in read_state(folder)["error"]
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    assert run(suite, "tiny", "train") == 0
    assert is_trained(folder)
    assert run(suite, "tiny", "evaluate") == 0
    assert suite.record_path(cell_of(suite, "tiny")).is_file()
    assert read_state(folder)["stage"] == "done"
    assert [(each["stage"], each["exit_code"], each["slurm_job_id"]) for each in attempts(folder)] == [
        ("evaluate", 2, None),
        ("train", 0, "12"),
        ("evaluate", 0, "12"),
    ]
    assert all(each["ended"] >= each["started"] for each in attempts(folder))
    before = (folder / "best.ckpt").stat().st_mtime_ns
    assert run(suite, "tiny", "train") == run(suite, "tiny", "evaluate") == 0  # nothing is done again
    assert (folder / "best.ckpt").stat().st_mtime_ns == before
    assert len(attempts(folder)) == 3


def test_a_signal_in_training_ends_with_85_and_the_next_start_goes_on(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Any = SeparationModule.training_step
    steps: list[int] = []

    def told_in_the_third(self: SeparationModule, *args: Any) -> Any:
        steps.append(self.global_step)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGUSR2)
        return original(self, *args)

    monkeypatch.setattr(SeparationModule, "training_step", told_in_the_third)
    folder = suite.run_folder(cell_of(suite, "tiny"))
    assert run(suite, "tiny", "train") == 85
    assert read_state(folder)["stage"] == "saved"
    assert not is_trained(folder)
    assert run(suite, "tiny", "train") == 0
    assert steps == list(range(16))  # 8 an epoch, none twice


def test_a_signal_in_evaluation_keeps_what_is_scored(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    import msbench.cluster.cell as module

    original = module.write_state

    def told_after_a_track(folder: Path, **state: Any) -> None:
        original(folder, **state)
        if state.get("track"):
            os.kill(os.getpid(), signal.SIGTERM)

    folder = suite.run_folder(cell_of(suite, "mixture"))
    with monkeypatch.context() as patched:
        patched.setattr(module, "write_state", told_after_a_track)
        assert run(suite, "mixture", "evaluate") == 85
    scored = {path: path.stat().st_mtime_ns for path in (folder / "evaluation").rglob("*.json")}
    assert scored
    assert run(suite, "mixture", "evaluate") == 0
    assert all(path.stat().st_mtime_ns == time for path, time in scored.items())


def test_a_cell_is_separated_as_its_suite_says(suite: Suite) -> None:
    for label, chunk, batch in (("mixture", 10.0, 1), ("short", 0.5, 2)):
        assert run(suite, label, "evaluate") == 0
        inference = records.read(suite.record_path(cell_of(suite, label)))["inference"]
        assert (inference["chunk_seconds"], inference["batch_size"], inference["overlap"]) == (chunk, batch, 0.25)


def test_failures_are_named(suite: Suite) -> None:
    assert run(suite, "exploding", "train") == 1
    state = read_state(suite.run_folder(cell_of(suite, "exploding")))
    assert (state["stage"], state["kind"]) == ("failed", "TrainingDiverged")
    assert "training loss became nan" in state["error"]
    assert run(suite, "wrong", "train") == 2
    assert "chunk_seconds" in read_state(suite.run_folder(cell_of(suite, "wrong")))["error"]


def test_a_recipe_that_has_changed_is_not_trained_as_what_was_planned(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    name = cell_of(suite, "tiny").name
    (suite.folder / "tiny.yaml").write_text(RECIPE.replace("max_epochs: 2", "max_epochs: 3"))
    assert main([str(suite.path), name, "--stage", "train"]) == 2
    assert f"has no cell {name}: the suite or a recipe of it has changed since" in capsys.readouterr().err


def test_a_bug_is_named_by_its_kind(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        {}["vocals"]

    monkeypatch.setattr("msbench.cluster.cell._train", broken)
    assert run(suite, "tiny", "train") == 1
    assert read_state(suite.run_folder(cell_of(suite, "tiny")))["error"] == "KeyError: vocals"


def test_a_bug_in_reading_the_suite_shows_where(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> None:
        {}["vocals"]

    monkeypatch.setattr("msbench.cluster.cell.read_suite", broken)
    assert main([str(suite.path), "tiny", "--stage", "train"]) == 1
    assert "in broken" in capsys.readouterr().err
