"""Relative paths in suites and recipes: they begin at the file that holds them, wherever a command is called."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msbench.system.bounded import shown

# Fields of a recipe that hold paths.
FIELDS = ("data.root", "data.extra_root", "data.unlabelled", "ckpt_path", "init_from")
LISTS = ("separator.members",)  # of paths, or of names, which hold no slash and do not end in .ckpt


def beginning_at(file: Path, text: str, field: str) -> str:
    """A path that a file holds, as it is to be opened from the working folder.

    Until 0.2 such paths began at the working folder. One that leads to something there alone still does, with a
    warning. Where both ways lead to the same, the words stay: run folders of `msbench fit` bear a digest of them.
    """
    path = Path(text).expanduser()
    own = file.parent / path
    if path.is_absolute() or own.resolve() == path.resolve():
        return text
    if not path.exists():
        return str(own.resolve())
    if own.exists():
        _warn(f"{file}: field {field}: {shown(text)} is now {own}, next to this file, not {path.resolve()}")
        return str(own.resolve())
    _warn(
        f"{file}: field {field}: {shown(text)} is taken from the working folder, for this version alone: relative "
        f"paths begin at the file that holds them: write {path.resolve()}, or the way there from {file.parent}"
    )
    return text


def with_paths(recipe: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """A recipe whose paths can be opened from the working folder; the fields are nested."""
    made = dict(recipe)
    for field in FIELDS:
        group, _, name = field.rpartition(".")
        holder = made.get(group) if group else made
        if isinstance(holder, dict) and isinstance(holder.get(name), str):
            changed = {**holder, name: beginning_at(file, holder[name], field)}
            made = {**made, group: changed} if group else changed
    return made


def settings_with_paths(settings: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The same of settings whose keys are dotted, as those of a suite's `set`."""
    return {key: _opened(file, key, value) for key, value in settings.items()}


def _opened(file: Path, key: str, value: Any) -> Any:
    if key in FIELDS and isinstance(value, str):
        return beginning_at(file, value, key)
    if key in LISTS and isinstance(value, list):
        paths = [isinstance(each, str) and ("/" in each or each.endswith(".ckpt")) for each in value]
        return [beginning_at(file, each, key) if path else each for each, path in zip(value, paths, strict=True)]
    return value


def _warn(text: str) -> None:
    warnings.warn(text, FutureWarning, stacklevel=2)
