"""What a run tells those who watch, and when a schedule is stepped."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from msbench.records.provenance import hardware
from msbench.runs.state import is_trained, read_json, read_state
from msbench.training.callbacks import STATE_SECONDS, RunState, StepOnPlateau


def trainer(**given: Any) -> Any:
    usual = {
        "is_global_zero": True,
        "estimated_stepping_batches": 8,
        "current_epoch": 1,
        "global_step": 4,
        "callback_metrics": {"val_loss": torch.tensor(0.123456)},
        "sanity_checking": False,
    }
    return SimpleNamespace(**{**usual, **given})


def test_the_state_says_how_far_a_run_is(tmp_path: Path) -> None:
    callback = RunState(tmp_path)
    callback.on_train_batch_end(trainer())
    state = read_state(tmp_path)
    assert (state["stage"], state["epoch"], state["step"], state["done"]) == ("training", 1, 4, 0.5)
    assert state["metrics"] == {"val_loss": 0.1235}
    callback.on_train_end(trainer(global_step=8), SimpleNamespace(device=torch.device("cpu")))  # type: ignore[arg-type]
    assert (read_state(tmp_path)["stage"], read_state(tmp_path)["done"]) == ("trained", 1.0)
    assert is_trained(tmp_path)
    ended = read_json(tmp_path / "trained.json")
    assert (ended["epochs"], ended["steps"], ended["device"]) == (1, 8, hardware())
    assert ended["peak_bytes"] > 2**20


def test_the_state_keeps_the_last_of_a_score_that_comes_now_and_then(tmp_path: Path) -> None:
    callback = RunState(tmp_path)
    for metrics in ({"val_loss": 2.0, "val_track_sdr": 1.0}, {"val_loss": 1.5}):
        callback.on_validation_end(trainer(callback_metrics=metrics), None)  # type: ignore[arg-type]
    assert read_state(tmp_path)["metrics"] == {"val_loss": 1.5, "val_track_sdr": 1.0}


def test_the_state_is_not_written_after_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("msbench.training.callbacks.time.monotonic", lambda: now[0])
    callback = RunState(tmp_path)
    for step, seconds in ((1, 0.0), (2, STATE_SECONDS / 2), (3, STATE_SECONDS)):
        now[0] = 100 + seconds
        callback.on_train_batch_end(trainer(global_step=step))
        assert read_state(tmp_path)["step"] == (1 if step == 2 else step)


def test_an_endless_run_has_no_part_done_and_other_ranks_write_nothing(tmp_path: Path) -> None:
    RunState(tmp_path).on_validation_end(trainer(is_global_zero=False), None)  # type: ignore[arg-type]
    RunState(tmp_path).on_validation_end(trainer(sanity_checking=True), None)  # type: ignore[arg-type]
    assert read_state(tmp_path) == {}
    RunState(tmp_path).on_validation_end(trainer(estimated_stepping_batches=float("inf")), None)  # type: ignore[arg-type]
    assert read_state(tmp_path)["done"] is None


def test_a_plateau_is_stepped_by_what_it_watches() -> None:
    seen: list[Any] = []
    plateau = SimpleNamespace(reduce_on_plateau=True, monitor="val_loss", scheduler=SimpleNamespace(step=seen.append))
    other = SimpleNamespace(reduce_on_plateau=False)
    StepOnPlateau().on_validation_end(trainer(lr_scheduler_configs=[other, plateau]), None)  # type: ignore[arg-type]
    assert seen == [torch.tensor(0.123456)]
    plateau.monitor = "val_track_sdr"  # which comes in some validations alone
    StepOnPlateau().on_validation_end(trainer(lr_scheduler_configs=[plateau]), None)  # type: ignore[arg-type]
    assert len(seen) == 1
    plateau.monitor = "loss"
    with pytest.raises(ValueError, match=r"model.lr_scheduler.monitor: 'loss' is not logged, but val_loss are"):
        StepOnPlateau().on_validation_end(trainer(lr_scheduler_configs=[plateau]), None)  # type: ignore[arg-type]
