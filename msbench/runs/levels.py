"""The factors of a sweep and their levels, as they stand in a suite: `separator.depth: [3, 4, 5]`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msbench.runs.settings import INFERENCE, inference_setting, setting_name
from msbench.system.errors import one_line
from msbench.system.fields import refuse, setting, shown, text
from msbench.system.names import plain_name

NETWORKS = ("recipe", "model")  # swept keys that are fields of an entry
LONGEST_NAME = 40  # letters of a value that serves as its own name
EXAMPLE = "{separator.depth: [3, 4, 5]}"


@dataclass(frozen=True)
class Level:
    """One of the values of a factor.

    Attributes:
        name: As it stands in labels; None where the value is too long for one, or no name of a file.
        value: As a study shows it: text, a number, a truth value or nothing.
        sets: {dotted setting: value}, `recipe`, `model` and `inference.*` among them.
    """

    name: str | None
    value: Any
    sets: dict[str, Any]


def level_of(key: str, value: Any, name: str | None = None) -> Level:
    """The level of a factor that is a setting; without a name of its own, the value tells it."""
    if name is not None:
        return Level(name, name, {key: value})
    named = Path(value).stem if key == "recipe" else _name_of(value)
    shows_itself = value is None or isinstance(value, str | int | float)
    return Level(named, value if shows_itself else named or one_line(canonical(value), 80), {key: value})


def canonical(value: Any) -> str:
    """Values are the same where this text is: unlike `==`, it tells 1 from true."""
    return json.dumps(value, sort_keys=True)


def factors(value: Any, where: str) -> dict[str, tuple[Level, ...]]:
    """The kind of `sweep` and `zip`: {factor: its levels}.

    A factor is a setting, whose values are a list or have names, or a name without a dot for several settings at once:
    `augmentation: {none: {}, pitch: {data.pitch_semitones: [-2, 2]}}`.
    """
    if not isinstance(value, dict) or not value:
        raise refuse(where, f"a mapping of settings to lists of values, as {EXAMPLE}", value)
    return {setting_name(key, where): _levels(each, key, f"{where}.{key}") for key, each in value.items()}


def _levels(value: Any, key: str, where: str) -> tuple[Level, ...]:
    if isinstance(value, list) and value:
        made = [level_of(key, _checked(key, each, f"{where}[{i}]")) for i, each in enumerate(value)]
    elif isinstance(value, dict) and value:
        is_group = "." not in key and key not in NETWORKS and all(isinstance(each, dict) for each in value.values())
        made = [_named(key, name, each, is_group, where) for name, each in value.items()]
    else:
        raise refuse(where, "a list of values, as [3, 4], or values with names, as {few: 10, many: 100}", value)
    return tuple(made)


def _named(key: str, name: Any, value: Any, is_group: bool, where: str) -> Level:
    if not isinstance(name, str):  # YAML takes `off` for a truth value
        raise ValueError(f"field '{where}': the name {shown(name)} of a value must be text: put it in quotes")
    plain_name(name, f"field '{where}': the name of a value")
    where = f"{where}.{name}"
    if not is_group:
        return level_of(key, _checked(key, value, where), name)
    sets = {setting_name(each, where): _checked(each, held, f"{where}.{each}") for each, held in value.items()}
    return Level(name, name, sets)


def _checked(key: str, value: Any, where: str) -> Any:
    if key in NETWORKS:
        return text(value, where)
    if key.startswith(INFERENCE):
        return inference_setting(key, value, where)
    return setting(value, where)


def _name_of(value: Any) -> str | None:
    if value is None:
        return "none"
    if isinstance(value, list):
        parts = [_name_of(each) for each in value]
        name = "_".join(part or "" for part in parts) if all(parts) else ""
    else:
        name = str(value).lower() if isinstance(value, bool) else "" if isinstance(value, dict) else str(value)
    try:
        return name if len(name) <= LONGEST_NAME and plain_name(name, "name") else None
    except ValueError:
        return None
