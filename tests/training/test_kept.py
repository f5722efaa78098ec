"""What is printed at the end exists; where nothing was trained or kept, the sentence says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from msbench.cli.app import main
from tests.tiny import fit_arguments, write_model, write_songs


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs", seconds=0.5)
    return [*fit_arguments(), "--output", "run"]


@pytest.mark.parametrize(
    ("flags", "kept", "sentence"),
    [
        (["trainer.max_epochs=1"], ["best.ckpt", "last.ckpt"], "trained: run/best.ckpt"),
        (["trainer.fast_dev_run=true"], [], "nothing is kept: trainer.fast_dev_run"),
        (["trainer.max_time=00:00:00:00"], [], "nothing was trained: trainer.max_time was over; nothing is kept"),
        (["trainer.max_epochs=0"], [], "nothing was trained: trainer.max_epochs is 0; nothing is kept"),
        (["trainer.limit_train_batches=0"], [], "nothing was trained: trainer.limit_train_batches is 0"),
        (
            ["trainer.check_val_every_n_epoch=2", "trainer.max_epochs=1"],
            ["last.ckpt"],
            "trained: run/last.ckpt (no best checkpoint: no validation comes, as trainer.check_val_every_n_epoch is 2",
        ),
        (
            ["trainer.limit_val_batches=0", "trainer.max_epochs=1"],
            ["last.ckpt"],
            "trained: run/last.ckpt (no best checkpoint: no validation comes, as trainer.limit_val_batches is 0)",
        ),
        (["trainer.max_steps=1"], ["last.ckpt"], "trained: run/last.ckpt (no best checkpoint: "),
        (
            ["checkpoint.save_top_k=0", "trainer.max_epochs=1"],
            ["last.ckpt"],
            "trained: run/last.ckpt (no best checkpoint: checkpoint.save_top_k is 0)",
        ),
        (
            ["trainer.enable_checkpointing=false", "trainer.max_epochs=1"],
            [],
            "trained, and nothing is kept: trainer.enable_checkpointing is false",
        ),
    ],
)
def test_what_is_said_is_there(
    arguments: list[str], flags: list[str], kept: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *arguments, *(f"--{flag}" for flag in flags)]) == 0
    assert sentence in capsys.readouterr().out
    assert sorted(path.name for path in Path("run").glob("*.ckpt")) == kept


def test_a_finished_run_started_again_trains_nothing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["fit", *arguments, "--trainer.max_epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert "nothing was trained: the run had reached trainer.max_epochs 1 (raise it to go on); there is run/be" in said


def test_a_run_ended_by_steps_goes_on_from_there(arguments: list[str]) -> None:
    assert main(["fit", *arguments, "--trainer.max_steps", "1"]) == 0
    assert main(["fit", *arguments, "--trainer.max_steps", "8"]) == 0
    assert main(["fit", *arguments, "--trainer.max_steps", "8", "--output", "whole"]) == 0
    halves, whole = (torch.load(Path(run) / "last.ckpt", weights_only=True) for run in ("run", "whole"))
    assert halves["global_step"] == whole["global_step"] == 8
    for name, value in whole["state_dict"].items():
        assert torch.equal(value, halves["state_dict"][name]), name


def test_moved_run_names_its_own_checkpoint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*arguments, "--trainer.max_epochs", "1"]
    assert main(["fit", *arguments]) == 0
    shutil.copytree("run", "copy")  # the old place is still there, and is no longer this run's
    assert main(["fit", *arguments, "--output", "copy"]) == 0
    assert "there is copy/best.ckpt" in capsys.readouterr().out
