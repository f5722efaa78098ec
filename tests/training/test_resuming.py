"""A run goes on with the settings it was begun with, or is refused by the field's name before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import msbench
from msbench.cli.app import main
from msbench.model.checkpoint_file import RUN
from tests.tiny import fit_arguments, write_model, write_songs


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs", seconds=0.5)
    arguments = [*fit_arguments(), "--output", "run"]
    assert main(["fit", *arguments, "--trainer.max_epochs", "1"]) == 0
    return [*arguments, "--trainer.max_epochs", "2"]


@pytest.mark.parametrize("stored", ["in the checkpoint", "in config.yaml"])
def test_what_makes_other_weights_is_refused(
    arguments: list[str], stored: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if stored == "in config.yaml":  # as in runs of earlier versions
        content = torch.load("run/last.ckpt", weights_only=True)
        del content[RUN]
        torch.save(content, "run/last.ckpt")
    before = Path("run/config.yaml").read_text()
    for flags, said in (
        (["--separator.width", "5"], "with separator.width 9, and 5 is asked for"),
        (["--model.optimizer", "torch.optim.SGD"], "with model.optimizer {"),
        (["--data.dataset", "demo"], "with data.dataset 'folder', and 'demo' is asked for"),
        (["--seed_everything", "3"], "with seed_everything 0, and 3 is asked for"),
        (["--data.gain", "[0.5,1]"], "with data.gain None, and [0.5, 1.0] is asked for"),
    ):
        assert main(["fit", *arguments, *flags]) == 2
        assert f"run/last.ckpt was trained {said}" in capsys.readouterr().err
    assert Path("run/config.yaml").read_text() == before


def test_a_field_that_came_later_may_not_go(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    louder = [*arguments, "--data.gain", "[0.5,1]", "--output", "louder"]
    assert main(["fit", *louder]) == 0
    arguments[arguments.index("run")] = "louder"
    assert main(["fit", *arguments]) == 2
    assert "louder/last.ckpt was trained with data.gain [0.5, 1.0], and None is" in capsys.readouterr().err


def test_how_long_and_where_may_change(arguments: list[str]) -> None:
    flags = ["--data.workers", "1", "--early_stopping.patience", "3", "--trainer.precision", "bf16-mixed"]
    assert main(["fit", *arguments, *flags]) == 0
    assert torch.load("run/last.ckpt", weights_only=True)["epoch"] == 1
    assert main(["fit", *arguments[:-1], "3", "--early_stopping", "null"]) == 0
    assert torch.load("run/last.ckpt", weights_only=True)["epoch"] == 2


def test_a_model_whose_code_has_changed_is_told_by_its_weights(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load("run/last.ckpt", weights_only=True)
    content["state_dict"]["separator.conv.weight"] = torch.zeros(2, 1, 11)
    torch.save(content, "run/last.ckpt")
    assert main(["fit", *arguments]) == 2
    assert "conv.weight is 2x1x11 in the file and 2x1x9 in the model" in capsys.readouterr().err


def test_weights_alone_are_no_training_to_go_on_with(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    msbench.save(msbench.load("run/last.ckpt"), "weights.ckpt")
    arguments[arguments.index("run")] = "another"
    assert main(["fit", *arguments, "--ckpt_path", "weights.ckpt"]) == 2
    assert "no training to go on with: begin one with --init_from weights.ckpt" in capsys.readouterr().err
    assert main(["fit", *arguments, "--init_from", "weights.ckpt"]) == 0
