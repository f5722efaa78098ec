"""What the training of a cell does, from the words of its suite and recipe alone: no torch, no model."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from msbench.runs.resources import Resources
from msbench.runs.suite import Cell

# The defaults of `msbench fit`, whose own module loads torch; a test holds the two together.
DEFAULTS: dict[str, dict[str, Any]] = {
    "data": {"chunk_seconds": 6.0, "chunks_per_epoch": 1000, "batch_size": 8},
    "trainer": {"max_epochs": 100, "max_steps": -1},
}
# Which tracks are read, and how often, is no part of what a step costs.
_WITHOUT_COST = ("dataset", "root", "extra", "extra_root", "tracks", "seed", "chunks_per_epoch", "memory_gb", "strict")
_OF_A_STEP = ("accelerator", "precision", "accumulate_grad_batches", "gradient_clip_val")


@dataclass(frozen=True)
class Training:
    """The training of a cell.

    Attributes:
        constructor: The model with its options, as JSON: cells alike have as many parameters.
        shape: What a training step costs follows from it: the model, its loss, and the batch.
        work: `shape`, how chunks are made, and how often songs are validated: the time of a whole training, per step,
            follows from it.
        accumulated: Batches per step of the optimizer.
        steps: Of the optimizer, if early stopping does not end it before; None where the settings do not tell.
        validates_songs: Whether it separates whole songs in between, which no step has a part in.
    """

    constructor: str
    shape: str
    work: str
    accumulated: int
    steps: int | None
    validates_songs: bool


def training_of(cell: Cell) -> Training | None:
    """The training of a cell; None where nothing is trained."""
    if cell.recipe is None:
        return None
    settings = _settings(cell.recipe, cell.overrides)
    model, data, trainer = (_section(settings, name) for name in ("model", "data", "trainer"))
    constructor = _json([cell.model, _section(settings, "separator")])
    loss = {key: value for key, value in model.items() if key not in ("optimizer", "lr_scheduler")}
    optimizer = model.get("optimizer")
    name = optimizer.get("class_path") if isinstance(optimizer, dict) else optimizer
    step = {key: trainer.get(key) for key in _OF_A_STEP}
    shape = _json([constructor, loss, name, data["chunk_seconds"], data["batch_size"], step])
    loading = {key: value for key, value in data.items() if key not in _WITHOUT_COST}
    accumulated: Any = trainer.get("accumulate_grad_batches")
    accumulated = int(accumulated) if _is_number(accumulated) and accumulated >= 1 else 1
    steps = _steps(data, trainer, accumulated, _ranks(cell))
    every = settings.get("validate_songs_every")
    songs = None if every is None else [every, data["chunks_per_epoch"], cell.dataset]
    return Training(constructor, shape, _json([shape, loading, songs]), accumulated, steps, songs is not None)


def _settings(recipe: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """The recipe with what the suite sets, over the defaults."""
    settings = deepcopy(DEFAULTS)
    _lay_over(settings, recipe)
    for key, value in overrides.items():
        _lay_over(settings, _nested(key.split("."), value))
    return settings


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    return {keys[0]: _nested(keys[1:], value) if keys[1:] else value}


def _lay_over(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(settings.get(key), dict):
            _lay_over(settings[key], value)
        else:
            settings[key] = deepcopy(value)


def _section(settings: dict[str, Any], name: str) -> dict[str, Any]:
    found = settings.get(name)
    return found if isinstance(found, dict) else dict(DEFAULTS.get(name, {}))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _ranks(cell: Cell) -> Any:
    """The processes that share an epoch, as the suite's `resources` ask for them."""
    asked = Resources().but(cell.resources)
    given = {key.removeprefix("trainer."): value for key, value in cell.overrides.items() if key.startswith("trainer.")}
    return given.get("devices", asked.ranks_per_node) * given.get("num_nodes", asked.nodes)


def _steps(data: dict[str, Any], trainer: dict[str, Any], accumulated: int, ranks: Any) -> int | None:
    """The optimizer's steps of a whole training, as Lightning counts them."""
    chunks, size = data["chunks_per_epoch"], data["batch_size"]
    epochs, most = trainer["max_epochs"], trainer["max_steps"]
    limit = trainer.get("limit_train_batches")
    limit = 1.0 if limit is None else limit
    epochs = 100 if epochs is None else epochs
    if not all(_is_number(value) for value in (chunks, size, epochs, most, limit, ranks)):
        return None
    if min(chunks, size, ranks) < 1:
        return None
    batches = math.ceil(chunks // ranks / size)
    batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    steps = math.ceil(batches / accumulated) * epochs  # the last batches of an epoch make a step, however few they are
    ends = [value for value, given in ((steps, epochs >= 0), (most, most >= 0)) if given]
    return int(min(ends)) if ends else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
