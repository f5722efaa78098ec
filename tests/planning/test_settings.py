"""The settings of a training from words alone: the steps that Lightning counts, and which cells cost alike."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from msbench.data.loading.module import SeparationData
from msbench.planning.settings import DEFAULTS, training_of
from msbench.runs.suite import Cell
from msbench.training.fit import fit
from tests.tiny import fit_arguments, write_model, write_songs

RECIPE: dict[str, Any] = {
    "name": "tiny",
    "data": {"chunk_seconds": 0.25, "chunks_per_epoch": 10, "batch_size": 4},
    "trainer": {"max_epochs": 2},
}


def cell(recipe: dict[str, Any] | None = RECIPE, resources: dict[str, Any] | None = None, **overrides: Any) -> Cell:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return Cell("a", "tiny", "folder", 0, "0" * 8, recipe=recipe, overrides=changes, resources=resources or {})


def steps(given: Cell) -> int | None:
    training = training_of(given)
    assert training is not None
    return training.steps


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, 6),  # the third batch of an epoch is not full
        ({"trainer.max_steps": 5}, 5),
        ({"trainer.max_steps": 50}, 6),
        ({"trainer.accumulate_grad_batches": 2}, 4),
        ({"trainer.limit_train_batches": 2}, 4),
        ({"trainer.limit_train_batches": 0.5}, 2),
        ({"data.chunks_per_epoch": 12, "data.batch_size": 3}, 8),
    ],
)
def test_steps_are_those_that_lightning_makes(
    overrides: dict[str, Any], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps(cell(**{key.replace(".", "__"): value for key, value in overrides.items()})) == expected
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs")
    settings = {"data.chunks_per_epoch": 10, "data.batch_size": 4, "trainer.max_epochs": 2, **overrides}
    flags = [part for key, value in settings.items() for part in (f"--{key}", str(value))]
    folder = fit([*fit_arguments(), *flags, "--output", "run", "--trainer.limit_val_batches", "1"])
    assert f'"steps": {expected}' in (folder / "trained.json").read_text()


def test_processes_share_an_epoch() -> None:
    assert steps(cell(resources={"gpus": 2})) == 4  # 5 chunks each
    assert steps(cell(resources={"gpus": 2, "nodes": 2})) == 2
    assert steps(cell(resources={"gpus": 2}, trainer__devices=1)) == 6


def test_what_does_not_tell_the_steps_is_unknown() -> None:
    assert training_of(cell(recipe=None)) is None
    for odd in ({"trainer__max_epochs": -1}, {"trainer__devices": "auto"}, {"data__batch_size": "many"}):
        assert steps(cell(**odd)) is None
    assert steps(cell(recipe={"name": "tiny", "trainer": 7, "data": []})) == 100 * 125


def test_cells_that_cost_alike() -> None:
    plain = training_of(cell())
    assert plain is not None
    for same in ({"data__tracks": 3}, {"model__optimizer": {"init_args": {"lr": 1}}}, {"trainer__max_epochs": 9}):
        changed = training_of(cell(**same))
        assert changed is not None
        assert (changed.shape, changed.work) == (plain.shape, plain.work)
    pitch = training_of(cell(data__pitch_semitones=[-1, 1]))
    assert pitch is not None
    assert pitch.shape == plain.shape
    assert pitch.work != plain.work
    for other in ({"separator__width": 5}, {"data__batch_size": 2}, {"trainer__precision": "bf16-mixed"}):
        changed = training_of(cell(**other))
        assert changed is not None
        assert changed.shape != plain.shape


def test_the_defaults_are_those_of_fit() -> None:
    options = inspect.signature(SeparationData).parameters
    assert {key: options[key].default for key in DEFAULTS["data"]} == DEFAULTS["data"]
