from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import yaml

import msbench
from msbench.cli.app import main
from msbench.training.fit import fit
from msbench.training.module import TrainingDiverged
from tests.tiny import fit_arguments, write_model, write_songs


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs")
    return fit_arguments()


def weights(path: Path) -> dict[str, torch.Tensor]:
    return msbench.load(path).state_dict()


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for key, value in a.items():
        assert torch.equal(value, b[key]), key


def test_fit_writes_what_it_promises(arguments: list[str]) -> None:
    folder = fit([*arguments, "--trainer.max_epochs", "2"])
    assert folder.parent == Path("runs")
    for name in ("best.ckpt", "last.ckpt", "config.yaml", "state.json", "logs/version_0/metrics.csv"):
        assert (folder / name).is_file(), name
    model = msbench.load(folder / "best.ckpt")
    assert model.registered is not None
    assert model.registered["name"] == "tiny"
    assert "val_sdr_voice" in (folder / "logs/version_0/metrics.csv").read_text()


@pytest.mark.parametrize("extra", [[], ["--ema_decay", "0.9"]], ids=["plain", "ema"])
def test_resumed_run_ends_with_the_same_weights(arguments: list[str], extra: list[str]) -> None:
    schedule = ["--model.lr_scheduler", "torch.optim.lr_scheduler.StepLR", "--model.lr_scheduler.step_size", "1"]
    arguments = [*arguments, *extra, *schedule]
    whole = fit([*arguments, "--trainer.max_epochs", "4", "--output", "whole"])
    fit([*arguments, "--trainer.max_epochs", "2", "--output", "halves"])
    halves = fit([*arguments, "--trainer.max_epochs", "4", "--output", "halves"])
    assert_same(weights(whole / "last.ckpt"), weights(halves / "last.ckpt"))
    assert (halves / "logs/version_1/metrics.csv").is_file()  # the first half's log is kept
    assert (halves / "logs/version_0/metrics.csv").is_file()


def test_ema_checkpoint_holds_the_average(arguments: list[str]) -> None:
    plain = weights(fit([*arguments, "--trainer.max_epochs", "2", "--output", "plain"]) / "last.ckpt")
    average = weights(
        fit([*arguments, "--trainer.max_epochs", "2", "--ema_decay", "0.99", "--output", "ema"]) / "last.ckpt"
    )
    assert not torch.equal(plain["conv.weight"], average["conv.weight"])


def test_nan_loss_stops_and_keeps_the_last_good_checkpoint(arguments: list[str]) -> None:
    with pytest.raises(TrainingDiverged, match=r"training loss became nan .* last good checkpoint stays"):
        fit([*arguments, "--separator.explode", "true", "--trainer.max_epochs", "4", "--output", "run"])
    assert all(torch.isfinite(value).all() for value in weights(Path("run/last.ckpt")).values())
    assert main(["fit", *arguments, "--separator.explode", "true", "--output", "again"]) == 1


@pytest.mark.parametrize("precision", ["bf16-mixed"])
def test_mixed_precision_and_clipping(arguments: list[str], precision: str) -> None:
    flags = ["--trainer.precision", precision, "--trainer.gradient_clip_val", "1.0", "--trainer.max_epochs", "1"]
    assert (fit([*arguments, *flags]) / "best.ckpt").is_file()


def test_a_loss_that_ignores_the_level_is_said_so(arguments: list[str]) -> None:
    with pytest.warns(UserWarning, match="the loss 'si_snr' does not hear the level of the estimates"):
        fit([*arguments, "--model.loss", "si_snr", "--trainer.fast_dev_run", "true"])


def test_a_weighted_sum_is_logged_by_its_parts(arguments: list[str]) -> None:
    loss = "{l1: 1, stft: {loss: multi_resolution, weight: 0.5, windows: [256], fft_samples: 256}}"
    watched = ["--checkpoint.monitor", "val_loss_stft"]
    folder = fit([*arguments, "--model.loss", loss, *watched, "--trainer.max_epochs", "1"])
    head = (folder / "logs/version_0/metrics.csv").read_text().splitlines()[0].split(",")
    assert {"val_loss", "val_loss_l1", "val_loss_stft"} <= set(head)
    settings = yaml.safe_load((folder / "config.yaml").read_text())["model"]["loss"]
    assert settings["stft"] == {"loss": "multi_resolution", "weight": 0.5, "windows": [256], "fft_samples": 256}


def test_early_stopping(arguments: list[str]) -> None:
    flags = ["--early_stopping.patience", "1", "--early_stopping.min_delta", "1e9", "--trainer.max_epochs", "50"]
    folder = fit([*arguments, *flags])
    assert '"epoch": 49' not in (folder / "state.json").read_text()


def test_no_early_stopping(arguments: list[str]) -> None:
    stops = ["--early_stopping.patience", "1", "--early_stopping.min_delta", "1e9"]  # no epoch is good enough
    Path("on.yaml").write_text("early_stopping: {patience: 1, min_delta: 1.0e+9}\n")
    Path("off.yaml").write_text("early_stopping: null\n")
    for off, folder in (
        (["-c", "on.yaml", "--early_stopping", "null"], "a"),
        (["-c", "on.yaml", "-c", "off.yaml"], "b"),
    ):
        fit([*arguments, *off, "--output", folder, "--trainer.max_epochs", "4"])
        assert torch.load(f"{folder}/last.ckpt", weights_only=True)["epoch"] == 3
        assert yaml.safe_load(Path(folder, "config.yaml").read_text())["early_stopping"] is None
    on_again = [*arguments, "-c", "off.yaml", *stops, "--output", "c", "--trainer.max_epochs", "4"]
    assert torch.load(fit(on_again) / "last.ckpt", weights_only=True)["epoch"] == 1
    before = yaml.safe_load(Path("c/config.yaml").read_text())["early_stopping"]
    assert (
        before
        == yaml.safe_load(
            (fit([*arguments, *stops, "--output", "d", "--trainer.max_epochs", "1"]) / "config.yaml").read_text()
        )["early_stopping"]
    )
    fit(["-c", "a/config.yaml", "--output", "a", "--trainer.max_epochs", "5"])  # its own configuration goes on with it
    assert torch.load("a/last.ckpt", weights_only=True)["epoch"] == 4


def test_wandb_offline_logs_audio_and_spectrograms(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="needs the extra: pip install msbench[wandb]")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir("songs")
    wandb.setup()  # as a notebook may have done: from here on it keeps this environment and this working directory
    monkeypatch.chdir("..")
    folder = fit([*arguments, "--wandb", "offline", "--trainer.max_epochs", "1", "--output", "run"])
    media = [path.as_posix() for path in (folder / "wandb").rglob("files/media/**/*") if path.is_file()]
    assert sum(path.endswith(".wav") for path in media) == 5  # the mixture, two references, two estimates
    assert sum(path.endswith(".png") for path in media) == 2  # one picture a target
    assert list((folder / "wandb").rglob("*.wandb"))
    assert "WANDB_MODE" not in os.environ  # or the next run of this process would be offline too


def test_an_option_of_the_model_is_a_flag(arguments: list[str]) -> None:
    folder = fit([*arguments, "--separator.width", "5", "--trainer.max_epochs", "1"])
    assert weights(folder / "best.ckpt")["conv.weight"].shape[-1] == 5


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--separator.widht", "3"], "unknown field 'separator.widht'. Did you mean separator.width"),
        (["--data.batch_sise", "3"], "Did you mean data.batch_size"),
        (["--model.loss", "l3"], "unknown loss 'l3'. Did you mean l1"),
        (["--model.loss_domain", "magnitude"], "has no magnitude loss"),
        (["--data.root", "nowhere"], "no dataset 'folder' at nowhere"),
        (["--data.batch_size", "many"], "data.batch_size"),
        (["--name", "mixture"], "has nothing to train"),
        (["-c", "tini"], "no recipe 'tini'"),
        (["--separator.width", "-3"], "model 'tiny' cannot be built with width=-3: RuntimeError: Trying to create"),
        (["--separator.targets", "[]"], "model 'tiny': targets must be one or more different names, not []"),
        (
            ["--model.optimizer", "torch.optim.Adam", "--model.optimizer.lr", "-1"],
            "field model.optimizer: Invalid learn",
        ),
        (["--trainer.max_epochs", "-5"], "Lightning refuses a setting under `trainer`: `max_epochs` must be"),
        (["--trainer.devices", "x"], "Lightning refuses a setting under `trainer`: `devices`"),
        (["--ema_decay", "2"], "field ema_decay must be from 0 to 1, not 2.0"),
        (
            ["--checkpoint.monitor", "val_los"],
            "field checkpoint.monitor: 'val_los' is not logged. Did you mean val",
        ),
        (["--early_stopping.monitor", "loss"], "field early_stopping.monitor: 'loss' is not logged"),
        (
            ["--model.lr_scheduler", "lightning.pytorch.cli.ReduceLROnPlateau", "--model.lr_scheduler.monitor", "loss"],
            "field model.lr_scheduler.monitor: 'loss' is not logged. Did you mean val_loss",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    arguments: list[str], flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *arguments, *flags]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("msbench:")]
    assert len(lines) == 1
    assert sentence in lines[0]
    assert not Path("runs").exists()


def test_unknown_field_in_yaml(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipe.yaml").write_text("name: tiny\ntrainer: {max_epoch: 3}\n")
    assert main(["fit", "-c", "recipe.yaml", *arguments[2:]]) == 2
    assert "unknown field 'trainer.max_epoch'. Did you mean trainer.max_epochs" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("a file")
    assert main(["fit", *arguments, "--output", "taken"]) == 1
    assert "cannot make the folder taken (File exists): give another one with --output" in capsys.readouterr().err


def test_a_bug_in_a_model_stays_one(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins/tiny.py").write_text(Path("plugins/tiny.py").read_text().replace("self.calls += 1", "self.cals += 1"))
    assert main(["fit", *arguments]) == 1
    said = capsys.readouterr().err
    assert "AttributeError: 'Tiny' object has no attribute 'cals' (a bug in msbench or a plugin: --debug shows" in said


def test_checkpoint_of_another_model(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    folder = fit([*arguments, "--trainer.max_epochs", "1", "--output", "run"])
    with pytest.raises(ValueError, match=r"is a checkpoint of 'tiny', not of 'unet'"):
        msbench.load("unet", checkpoint=folder / "best.ckpt")
    assert main(["fit", "--name", "unet", *arguments[2:], "--separator.targets", "[voice]", "--output", "run"]) == 2
    assert "is a checkpoint of 'tiny', not of 'unet'" in capsys.readouterr().err
    with pytest.raises(ValueError, match="does not fit Tiny as configured"):
        msbench.load("tiny", checkpoint=folder / "best.ckpt", width=3)
    Path("broken.ckpt").write_bytes((folder / "best.ckpt").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"broken.ckpt is not a checkpoint that can be read"):
        msbench.load("broken.ckpt")
