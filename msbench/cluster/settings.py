"""The settings that a suite gives its cells, looked up before any of them runs."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from msbench import registry
from msbench.model.constructor import parameters_of
from msbench.runs.suite import Cell
from msbench.system.errors import located
from msbench.system.files import write_text
from msbench.system.wording import choices

MOST_VALUES = 20  # of one setting that are tried: the type is that of the others


def check_settings(cells: Iterable[Cell]) -> None:
    """Refuse a setting that a cell's recipe or model does not have, or a value of the wrong type.

    Each value is looked at once per recipe and model, however many cells have it, by what will read it: the parser of
    `msbench fit` for what is trained, else the constructor of the model.

    Raises:
        ValueError: If there is one; the message names the cell's label and the setting.
    """
    chosen = list(_representatives(cells))
    for cell in (each for each in chosen if each.recipe is None):
        with located(f"cell {cell.label}"):
            _check_untrained(cell)
    trained = [each for each in chosen if each.recipe is not None]
    if trained:
        _check_trained(trained)


def _representatives(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The cells that have a setting's value which none before them has."""
    seen: dict[tuple[str, int], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for cell in cells:
        known = seen[cell.model, id(cell.recipe)]  # a recipe is read once
        brings_more = False
        for key, value in cell.overrides.items():
            text = json.dumps(value)
            if text not in known[key] and len(known[key]) < MOST_VALUES:
                known[key].add(text)
                brings_more = True
        if brings_more:
            yield cell


def _check_untrained(cell: Cell) -> None:
    if cell.checkpoint is not None:
        raise ValueError(
            f"{next(iter(cell.overrides))} cannot be set: its checkpoint holds the model as it was trained"
        )
    for key in cell.overrides:
        if not key.startswith("separator."):
            raise ValueError(f"{key} cannot be set: nothing is trained, so it has separator.* and inference alone")
    known = parameters_of(registry.load("models", cell.model))
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return
    for name in cell.separator_options():
        if name not in known:
            raise ValueError(f"unknown field 'separator.{name}'. {choices(name, known)}")


def _check_trained(cells: Iterable[Cell]) -> None:
    from msbench.training.flags import Flags  # takes seconds

    flags = Flags()
    with tempfile.TemporaryDirectory() as name:
        for cell in cells:
            recipe = Path(name) / f"{id(cell.recipe)}.yaml"
            if not recipe.exists():
                write_text(recipe, yaml.safe_dump(cell.recipe, sort_keys=False))
            with located(f"cell {cell.label}"):
                try:
                    flags.check(["-c", str(recipe), *cell.flags()])
                except ValueError as error:
                    raise ValueError(str(error).replace(f"{recipe}: ", "its recipe: ")) from error
