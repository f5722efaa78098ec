"""What may change when a run is started again, and what would make another run of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msbench.model.checkpoints import Checkpoint
from msbench.model.separator import Separator
from msbench.system.bounded import shown
from msbench.system.yaml_files import read_yaml
from msbench.training.identity import completed, counted
from msbench.training.lineage import Change

# How long and where a run goes on. All else has a part in what an undisturbed run would have come to.
MAY_CHANGE = {
    *("checkpoint_minutes", "early_stopping", "callbacks", "validate_songs_every"),
    *(f"checkpoint.{name}" for name in ("verbose", "save_last", "save_on_exception", "save_top_k", "filename")),
    *(f"trainer.{name}" for name in ("max_epochs", "min_epochs", "max_steps", "min_steps", "max_time", "fast_dev_run")),
    *(f"trainer.{name}" for name in ("accelerator", "devices", "num_nodes", "strategy", "precision", "callbacks")),
    *(f"trainer.{name}" for name in ("limit_val_batches", "val_check_interval", "check_val_every_n_epoch")),
    *(f"trainer.{name}" for name in ("num_sanity_val_steps", "enable_checkpointing", "inference_mode", "profiler")),
    *(f"trainer.{name}" for name in ("deterministic", "benchmark", "detect_anomaly", "barebones", "sync_batchnorm")),
    *(f"trainer.{name}" for name in ("enable_autolog_hparams", "model_registry", "plugins")),
    *(f"trainer.limit_{name}_batches" for name in ("test", "predict")),
}


def allowed_changes(held: Checkpoint, settings: dict[str, Any], separator: Separator) -> list[Change]:
    """Refuse to go on from a checkpoint with settings that would have made other weights.

    They are compared with those in the checkpoint; for an old one, which holds none, with the `config.yaml` next to it,
    and with the model's options.

    Args:
        held: The checkpoint.
        settings: All fields that are asked for.
        separator: The model as it is asked for.

    Returns:
        The settings that differ and may.

    Raises:
        ValueError: If a setting differs, or there is no training to go on with; the message says what to do instead.
    """
    if held.step is None:  # as `msbench.save` and `msbench join` write it
        raise ValueError(
            f"{held.path} holds weights alone, and no training to go on with: begin one with --init_from {held.path}"
        )
    before = completed(_settings_of(held))
    asked = completed(counted(settings))
    changes = []
    for field, old in _fields(before):
        new = _value(asked, field)
        if new is _ABSENT or old == new:
            continue
        if field not in MAY_CHANGE and field.partition(".")[0] not in MAY_CHANGE:
            raise ValueError(
                f"{held.path} was trained with {field} {shown(old)}, and {shown(new)} is asked for: go on with the "
                f"same value, or start another run with another --output{_keeping_weights(held, field)}"
            )
        changes.append(Change(field, old, new, held.step))
    if "init_from" in asked and "init_from" not in before:
        raise ValueError(
            f"{held.path} is of a run that did not begin with the weights of init_from: leave init_from out to go on "
            "with it, or start another run with another --output"
        )
    held.load_into(separator)  # a plugin may have changed where the settings did not
    return changes


def _keeping_weights(held: Checkpoint, field: str) -> str:
    """How another run begins with these weights, where they are those of the model that is asked for."""
    if field == "init_from" or field.startswith("separator."):
        return ""
    return f", which --init_from {held.path} begins with these weights"


_ABSENT = object()


def _settings_of(held: Checkpoint) -> dict[str, Any]:
    known = (held.run or {}).get("settings")
    config = held.path.with_name("config.yaml")
    if known is None and config.is_file():
        known = read_yaml(config)
    if not isinstance(known, dict):
        return {"separator": held.options}
    return counted(known)


def _fields(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(name, value) of each field; the arguments of a class are its value."""
    fields: list[tuple[str, Any]] = []
    for key, value in settings.items():
        fields += [(f"{key}.{name}", v) for name, v in value.items()] if isinstance(value, dict) else [(key, value)]
    return fields


def _value(settings: Mapping[str, Any], field: str) -> Any:
    section, _, name = field.partition(".")
    value = settings.get(section, _ABSENT)
    if not name:
        return value
    return value.get(name, _ABSENT) if isinstance(value, Mapping) else _ABSENT
