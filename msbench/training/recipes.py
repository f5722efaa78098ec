"""Recipes: the files that the flags of `msbench fit` name, the model that they are for, and who gave a field."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msbench import registry
from msbench.model.constructor import name_now
from msbench.runs.relative_paths import FIELDS, with_paths
from msbench.system.yaml_files import read_yaml

SECTIONS = ("separator", "model", "data", "trainer", "checkpoint", "early_stopping")


@dataclass(frozen=True)
class Request:
    """What a call of `msbench fit` asks for.

    Attributes:
        name: The registered model.
        arguments: The flags, with the paths of recipes in place of their names.
        recipes: Path -> content of each recipe, in order: a later one overrules an earlier one.
    """

    name: str
    arguments: tuple[str, ...]
    recipes: Mapping[str, Mapping[str, Any]]

    @property
    def stops_early(self) -> bool:
        """Whether early stopping is on: the last word on it counts, and `early_stopping: null` turns it off."""
        words = [content["early_stopping"] for content in self.recipes.values() if "early_stopping" in content]
        for argument, following in zip(self.arguments, (*self.arguments[1:], ""), strict=True):
            name, given, value = argument.partition("=")
            if name == "--early_stopping":
                words.append(None if (value if given else following) == "null" else argument)
            elif name.startswith("--early_stopping."):
                words.append(argument)
        return not words or words[-1] is not None

    def gives(self, field: str) -> bool:
        """Whether a flag or a recipe gives a field."""
        flags = any(argument.partition("=")[0] == f"--{field}" for argument in self.arguments)
        return flags or any(_holds(content, field.split(".")) for content in self.recipes.values())

    def place_of(self, field: str) -> str:
        """The recipe that a field comes from, as the start of a sentence; "" for a flag, which is in sight."""
        if any(argument.partition("=")[0] == f"--{field}" for argument in self.arguments):
            return ""
        holders = [path for path, content in self.recipes.items() if _holds(content, field.split("."))]
        return f"{holders[-1]}: " if holders else ""


def request(argv: Sequence[str]) -> Request:
    """Read the recipes that the flags name, and find which model is meant.

    Raises:
        FileNotFoundError: If a recipe is neither a file nor a known name.
        ValueError: If a recipe is not YAML or not made of fields, or no model is named.
    """
    # LightningCLI needs the model's class to know the flags, so the recipes are read before it parses them.
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("-c", "--config", action="append", default=[])
    peek.add_argument("--name")
    given, rest = peek.parse_known_args(list(argv))
    recipes = {str(path): _read(path) for path in map(registry.find_recipe, given.config)}
    names = [content["name"] for content in recipes.values() if "name" in content]
    name = given.name or (names[-1] if names else None)
    if name is None:
        raise ValueError("no model named: give a recipe (-c unet_small, or a YAML file with a `name:`) or --name MODEL")
    words = [argument.partition("=")[0] for argument in argv]
    given_options = [word.removeprefix("--separator.") for word in words if word.startswith("--separator.")]
    with contextlib.suppress(KeyError, ImportError):  # told where the model is built
        name = name_now(
            name, [*given_options, *(key for each in recipes.values() for key in each.get("separator") or {})]
        )
    flags = [part for path, content in recipes.items() for part in ("--config", path, *_paths_of(content, Path(path)))]
    return Request(name, (*flags, *rest, "--name", name), recipes)


def _paths_of(recipe: dict[str, Any], file: Path) -> list[str]:
    """Flags for the relative paths of a recipe, which begin at its file; later recipes and flags overrule them."""
    flags, resolved = [], with_paths(recipe, file)
    for field in FIELDS:
        group, _, name = field.rpartition(".")
        before, after = ((each.get(group) or {} if group else each).get(name) for each in (recipe, resolved))
        if after != before:
            flags += [f"--{field}", str(after)]
    return flags


def _read(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no recipe: it must hold fields, such as `name: unet`")
    if not isinstance(content.get("name", ""), str):
        raise ValueError(f"{path}: field name must be the name of a model, not {content['name']!r}")
    for section in SECTIONS:
        off = section == "early_stopping" and content.get(section, {}) is None
        if not off and not isinstance(content.get(section, {}), dict):
            raise ValueError(f"{path}: field {section} must hold fields of its own, not {content[section]!r}")
    return content


def _holds(content: Any, keys: Sequence[str]) -> bool:
    return not keys or (isinstance(content, Mapping) and keys[0] in content and _holds(content[keys[0]], keys[1:]))
