"""Settings by their dotted names: flags of `msbench fit`, and how a trained model is run."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from msbench.system.fields import (
    declared,
    flag,
    list_of,
    mapping_of,
    number_from,
    one_of,
    read_given,
    refuse,
    setting,
    shown,
    text,
    whole_number,
)
from msbench.system.wording import did_you_mean

OWN_SETTINGS = ("output", "config", "name", "help", "print_config", "print_shtab")  # that a suite's cell sets itself
UNNAMED = ("tensorboard", "group", "factors")  # no part of a cell's name; those of W&B are, since they ever were
OVERLAP = 0.25  # by default, of `msbench.separation.inference.Inference`, whose module takes seconds to import
INFERENCE = "inference."  # how such settings begin where they stand among others


def _batch_size(value: Any, where: str) -> int | str:
    if value == "auto":
        return "auto"
    if type(value) is not int or value < 1:
        raise refuse(where, "a whole number of at least 1, or auto", value)
    return value


def _tta(value: Any, where: str) -> list[str]:
    return [*list_of(one_of("polarity", "swap"), "polarity and swap", "[swap]", repeats=False)(value, where)]


@dataclass(frozen=True)
class InferenceSettings:
    """Fields of `msbench.separation.inference.Inference` that a suite may set; whoever runs a cell chooses its device.

    They are declared once more since that module takes seconds to import; a test holds the two together.
    """

    chunk_seconds: float | None = declared(number_from(0, None, above=True), None)
    overlap: float | None = declared(number_from(0, 0.95), None)
    batch_size: int | str | None = declared(_batch_size, None)
    window: str | None = declared(one_of("crossfade", "triangle", "hann", "trapezoid"), None)
    shifts: int | None = declared(whole_number(0, 100), None)
    tta: list[str] | None = declared(_tta, None)
    precision: str | None = declared(one_of("float32", "bf16", "fp16"), None)
    compile: bool | None = declared(flag, None)


def inference_settings(value: Any, where: str) -> dict[str, Any]:
    """The kind of `inference`."""
    return read_given(InferenceSettings, value, where)


def inference_setting(key: str, value: Any, where: str) -> Any:
    """The kind of `inference.overlap` and its like where they stand among other settings; None is the default."""
    kinds = {each.name: each.metadata["kind"] for each in fields(InferenceSettings)}
    name = key.removeprefix(INFERENCE)
    if name not in kinds:
        raise ValueError(f"unknown field '{where}'. {did_you_mean(name, kinds)}The fields are {', '.join(kinds)}")
    return None if value is None else kinds[name](value, where)


@dataclass(frozen=True)
class LogSettings:
    """Flags of `msbench fit` that a suite may set for all of its cells at once: they change no name."""

    wandb: str | None = declared(one_of("online", "offline"), None)
    wandb_project: str | None = declared(text, None)
    tensorboard: bool = declared(flag, False)


def log_settings(value: Any, where: str) -> dict[str, Any]:
    """The kind of `log`."""
    return read_given(LogSettings, value, where)


def setting_name(key: Any, where: str) -> str:
    """A dotted name, but for those that say where a run is kept.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", key):
        raise ValueError(f"field '{where}': {shown(key)} is no name of a setting, as trainer.max_epochs")
    if key.partition(".")[0] in OWN_SETTINGS:
        raise ValueError(f"field '{where}': '{key}' cannot be set in a suite, which sees to it itself: remove it")
    return key


def settings(value: Any, where: str) -> dict[str, Any]:
    """The kind of `set`: dotted names of the flags of `msbench fit`."""
    found: dict[str, Any] = mapping_of(setting, "a mapping of settings", "{trainer.max_epochs: 100}")(value, where)
    for key in found:
        setting_name(key, where)
        if key.startswith(INFERENCE):
            raise ValueError(
                f"field '{where}': '{key}' is no flag of `msbench fit`: write inference: "
                f"{{{key.removeprefix(INFERENCE)}: ...}} next to `set`"
            )
    return found
