"""Whole songs validated in training: the board's scores, nothing of the training touched, and what is refused."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import msbench
from msbench.cli.app import main
from msbench.records.types import Record
from msbench.runs.interruption import RunInterrupted
from msbench.runs.state import read_state
from msbench.training import song_validation
from msbench.training.fit import fit
from tests.tiny import MODEL, fit_arguments, write_songs
from tests.training.test_interruption import assert_same

SONGS = ["--validate_songs_every", "1"]
WATCHED = ["--checkpoint.monitor", "val_track_sdr", "--checkpoint.mode", "max"]
STOPPED = ["--early_stopping.monitor", "val_track_sdr", "--early_stopping.mode", "max"]
PLATEAU = [
    *("--model.lr_scheduler", "lightning.pytorch.cli.ReduceLROnPlateau"),
    *("--model.lr_scheduler.monitor", "val_track_sdr", "--model.lr_scheduler.mode", "max"),
]


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "plugins"))
    Path("plugins").mkdir()
    draws = "x = x + 1e-9 * torch.rand(1)  # also where it is evaluated\n        if self.training:"
    Path("plugins/tiny.py").write_text(MODEL.replace("if self.training:", draws, 1))
    write_songs(tmp_path / "songs")
    shutil.copytree("songs/test/song 1", "songs/valid/longer")
    return [*fit_arguments(), "--trainer.num_sanity_val_steps", "1"]


def logged(run: Path, name: str = "val_track_sdr") -> list[float]:
    """The values of a score, one per validation that gave it."""
    logs = sorted(run.glob("logs/version_*/metrics.csv"))
    lines = [line for log in logs for line in csv.DictReader(log.open())]
    return [float(line[name]) for line in lines if line.get(name)]


def of_a_board(record: Record, targets: tuple[str, ...] = ("voice", "band")) -> list[float]:
    """The medians of a record by target, and their mean in front."""
    values: Any = record["scores"].values()
    medians = [median(track[target]["SDR"] for track in values) for target in targets]
    return [fmean(medians), *medians]


def assert_same_end(*runs: Path) -> None:
    """Of the weights, the optimizer and all generators of random numbers."""
    ends = [torch.load(run / "last.ckpt", weights_only=True) for run in runs]
    for key in ("state_dict", "optimizer_states", "rng", "global_step"):
        assert_same(*(end[key] for end in ends), key)


@pytest.mark.parametrize("extra", [[], ["--ema_decay", "0.9"]], ids=["plain", "ema"])
def test_songs_are_scored_as_a_board_does_and_training_is_not_touched(
    arguments: list[str], extra: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*arguments, *extra, "--trainer.max_epochs", "2"]
    bar = ["--trainer.enable_progress_bar", "true"]
    run = fit([*arguments, *SONGS, *WATCHED, *bar, "--output", "run"])
    assert "Song 2 of 2" in capsys.readouterr().out
    record = msbench.evaluate(str(run / "last.ckpt"), "folder", root="songs", split="valid")
    names = ("val_track_sdr", "val_track_sdr_voice", "val_track_sdr_band")
    assert [logged(run, name)[-1] for name in names] == pytest.approx(of_a_board(record), abs=2e-5)
    assert len(logged(run)) == 2
    held = torch.load(run / "best.ckpt", weights_only=True)
    assert held["epoch"] == np.argmax(logged(run))
    without = fit([*arguments, "--output", "without"])
    assert not logged(without)
    assert_same_end(run, without)


def test_what_watches_songs_waits_for_them_and_a_resumed_run_ends_the_same(arguments: list[str]) -> None:
    flags = ["--validate_songs_every", "2", *WATCHED, *STOPPED, *PLATEAU, "--early_stopping.patience", "3"]
    whole = fit([*arguments, *flags, "--trainer.max_epochs", "5", "--output", "whole"])
    assert len(logged(whole)) == 2
    assert torch.load(whole / "best.ckpt", weights_only=True)["epoch"] in (1, 3)
    for epochs in ("3", "5"):
        parts = fit([*arguments, *flags, "--trainer.max_epochs", epochs, "--output", "parts"])
    assert logged(parts) == logged(whole)
    assert_same_end(whole, parts)
    states = [torch.load(run / "last.ckpt", weights_only=True)["callbacks"] for run in (whole, parts)]
    (stopping,) = [state for name, state in states[1].items() if name.startswith("EarlyStopping")]
    assert stopping["wait_count"] <= 1  # of two validations with songs, not of five
    for one, other in zip(*(state.values() for state in states), strict=True):
        for key in ("best_model_score", "best_score", "wait_count"):
            assert one.get(key) == other.get(key)
    assert "val_track_sdr" in read_state(whole)["metrics"]  # of the last validation that had it


def test_the_checkpoint_of_a_run_from_before_keeps_its_best(arguments: list[str]) -> None:
    run = fit([*arguments, "--trainer.max_epochs", "1"])
    names = torch.load(run / "last.ckpt", weights_only=True)["callbacks"]
    assert any(name.startswith("ModelCheckpoint{") for name in names)  # as Lightning's own class calls it


def test_a_song_that_cannot_be_read_is_left_out_with_a_warning(arguments: list[str]) -> None:
    path = Path("songs/valid/longer/voice.wav")
    samples, rate = soundfile.read(path)
    samples[100] = np.nan
    soundfile.write(path, samples, rate, subtype="FLOAT")
    with pytest.warns(UserWarning, match=r"left out of val_track_sdr: track 'longer': .* NaN"):
        run = fit([*arguments, *SONGS, "--trainer.max_epochs", "1"])
    shutil.rmtree("songs/valid/longer")
    record = msbench.evaluate(str(run / "last.ckpt"), "folder", root="songs", split="valid")
    assert logged(run) == pytest.approx(of_a_board(record)[:1], abs=2e-5)


def test_a_signal_ends_it_after_the_song(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    scored = []

    def signaled(*given: Any) -> dict[str, float | None]:
        scored.append(given)
        os.kill(os.getpid(), signal.SIGTERM)
        return {"voice": 1.0, "band": None}

    monkeypatch.setattr(song_validation, "_sdr", signaled)
    with pytest.raises(RunInterrupted, match="came in validation"):
        fit([*arguments, *SONGS])
    assert len(scored) == 1


def test_a_target_without_a_score_leaves_no_trace(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(song_validation, "_sdr", lambda *given: {"voice": 1.0, "band": None})
    run = fit([*arguments, *SONGS, *WATCHED, "--trainer.max_epochs", "1"])
    assert logged(run) == logged(run, "val_track_sdr_voice") == [1.0]
    assert not logged(run, "val_track_sdr_band")
    assert (run / "best.ckpt").is_file()


def test_where_no_song_has_a_score_the_end_says_so(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(song_validation, "_sdr", lambda *given: {"voice": None, "band": None})
    assert main(["fit", *arguments, *SONGS, *WATCHED, "--trainer.max_epochs", "1", "--output", "run"]) == 0
    said = capsys.readouterr().out
    assert "run/last.ckpt (no best checkpoint: training ended before a validation of songs gave val_track_sdr)" in said


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (WATCHED, "'val_track_sdr' comes with songs that are validated: set validate_songs_every, as 5"),
        (
            [*SONGS, *WATCHED[:2]],
            "monitor: the best val_track_sdr is the highest: set checkpoint.mode to max",
        ),
        ([*SONGS, *PLATEAU[:4]], "highest: set model.lr_scheduler.mode to max, not min"),
        (["--validate_songs_every", "0"], "field validate_songs_every must be at least 1, not 0"),
        (
            ["--validate_songs_every", "3", "--trainer.check_val_every_n_epoch", "2"],
            "field validate_songs_every must be a multiple of trainer.check_val_every_n_epoch, 2, not 3",
        ),
        (
            ["--validate_songs_every", "5", "--trainer.max_epochs", "3", *STOPPED],
            "there will be no val_track_sdr: no songs are validated, as validate_songs_every is 5 and trainer.max_ep",
        ),
        ([*SONGS, *WATCHED, "--trainer.limit_val_batches", "0"], "there will be no val_track_sdr: no validation comes"),
    ],
)
def test_what_never_comes_is_refused(
    arguments: list[str], flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *arguments, *flags]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("runs").exists()


def test_songs_of_the_test_split_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("songs/valid/longer")
    Path("songs/valid/linked").symlink_to(Path("songs/test/song 0").absolute())
    assert main(["fit", *arguments, *SONGS]) == 2
    assert "song 'linked' of split 'valid' is 'song 0' of split 'test' too, and what" in capsys.readouterr().err


def test_a_dataset_without_songs_to_validate_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree("songs/valid")
    assert main(["fit", *arguments, *SONGS]) == 2
    assert "has no split 'valid': it has train, test" in capsys.readouterr().err
