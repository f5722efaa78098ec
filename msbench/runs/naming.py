"""The names of a suite's cells, as far as its file tells them: reading results needs nothing that makes them.

A cell is named by label, dataset, seed and eight digits of its identity, which the content of its recipe is part of.
Where a recipe or a checkpoint is not here (another machine, years later), those digits are taken from the record or
the run that bears the rest of the name.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from os.path import isfile  # unlike Path's, it is no error for a name that no file can have
from pathlib import Path
from typing import Any

from msbench import registry
from msbench.runs.model_entry import ModelEntry
from msbench.runs.relative_paths import beginning_at, with_paths
from msbench.runs.studies import Study
from msbench.runs.suite_file import DIGITS, SuiteFile, cell_name, read_suite_file
from msbench.system.errors import is_bug, located
from msbench.system.yaml_files import read_yaml
from msbench.weights import catalogue


class Recipes:
    """Finds the recipes and the published weights that the entries of a suite name, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = registry.recipes()
        self.find = cache(self._find)
        self.read = cache(self._read)
        self.opened = cache(lambda path: with_paths(self.read(path), path))
        self.weights = cache(catalogue.find)

    @cached_property
    def models(self) -> Container[str]:
        """The names of the models that are here."""
        return registry.entries("models")

    def name_in(self, entry: ModelEntry) -> str | None:
        """The recipe that an entry names, None where it names a model."""
        if entry.bare is None:
            return entry.recipe
        is_recipe = entry.bare in self.known or _is_yaml(entry.bare) or isfile(self.folder / entry.bare)
        return entry.bare if is_recipe else None

    def _find(self, name: str) -> Path:
        """The file of a recipe: next to the suite, next to a plugin, or at a path.

        Raises:
            FileNotFoundError: If there is none.
        """
        own = self.folder / name
        if isfile(own) or name in self.known:
            return own if isfile(own) else self.known[name]
        return Path(beginning_at(self.folder / "suite.yaml", str(registry.find_recipe(name)), "recipe"))

    def _read(self, path: Path) -> dict[str, Any]:
        content = read_yaml(path) or {}
        if not isinstance(content, dict):
            raise ValueError(f"{path} is no recipe: it must hold fields, as `name: MODEL` (msbench list recipes)")
        return content


@dataclass(frozen=True)
class NamedCell:
    """A cell of which label, dataset and seed are known, and the identity where something tells it."""

    label: str
    dataset: str
    seed: int | None
    identity: str | None

    @property
    def name(self) -> str:
        return cell_name(self.label, self.dataset, self.seed, self.identity)


@dataclass(frozen=True)
class NamedSuite:
    """What a board needs of its suite."""

    path: Path
    title: str
    cells: tuple[NamedCell, ...]
    studies: tuple[Study, ...] = ()

    @property
    def folder(self) -> Path:
        """The board's folder: records/, runs/ and the tables lie next to the suite file."""
        return self.path.parent

    def own(self, names: Iterable[str]) -> list[str]:
        """Those names of records that belong to cells of the suite."""
        whole = {cell.name for cell in self.cells if cell.identity is not None}
        begun = {cell.name for cell in self.cells if cell.identity is None}
        return [name for name in names if name in whole or _parted(name)[0] in begun]

    def missing(self, names: Iterable[str]) -> list[NamedCell]:
        """The cells that none of these records is of."""
        names = list(names)
        whole, begun = set(names), {_parted(name)[0] for name in names}
        return [cell for cell in self.cells if cell.name not in (whole if cell.identity else begun)]

    def run_folder(self, cell: NamedCell) -> Path:
        return self.folder / "runs" / cell.name


def name_cells(path: str | Path) -> NamedSuite:
    """The cells that a suite file stands for, by name. Models, datasets, metrics and resources are not looked up.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a field of it cannot be.
    """
    file = read_suite_file(path)
    recipes = Recipes(file.folder)
    present = _present(file.folder)
    cells: list[NamedCell] = []
    with located(str(file.path)):
        file.check_labels([_label(entry, recipes) for entry in file.models])
    for dataset in file.datasets:
        for entry in file.models:
            cells += _named(file, entry, dataset, recipes, present)
    return NamedSuite(file.path, file.board_title, tuple(cells), file.studies)


def _named(
    file: SuiteFile, entry: ModelEntry, dataset: str, recipes: Recipes, present: dict[str, set[str]]
) -> list[NamedCell]:
    """The cells of one entry on one dataset."""
    recipe = recipes.name_in(entry)
    checkpoint = file.checkpoint(entry)
    label = _label(entry, recipes)
    here = checkpoint is None or isfile(checkpoint)
    identity = None
    if recipe is not None:
        identity = _identity(file, entry, recipe, recipes) if here else None
    elif entry.bare is not None and entry.bare not in recipes.models:
        # Neither a recipe nor a model is here by this name: what has been done tells which of the two it was.
        trained = any(cell_name(label, dataset, seed, None) in present for seed in file.seeds_of(trained=True))
        recipe = entry.bare if trained else None
    elif here:
        identity = file.identity(entry, entry.network, None)
    seeds = file.seeds_of(trained=recipe is not None)
    return [NamedCell(label, dataset, seed, identity or _only(present, label, dataset, seed)) for seed in seeds]


def _label(entry: ModelEntry, recipes: Recipes) -> str:
    recipe = recipes.name_in(entry)
    return entry.label or (Path(recipe).stem if recipe else entry.network)


def _identity(file: SuiteFile, entry: ModelEntry, recipe: str, recipes: Recipes) -> str | None:
    try:
        content = recipes.read(recipes.find(recipe))
    except (OSError, ValueError) as error:
        if is_bug(error):
            raise
        return None  # gone or broken: what trains the cell will say it
    model = entry.model or content.get("name")
    return None if model is None else file.identity(entry, model, content)


def _only(present: dict[str, set[str]], label: str, dataset: str, seed: int | None) -> str | None:
    """The identity that the one record or run bears that begins with such a name."""
    found = present.get(cell_name(label, dataset, seed, None), set())
    return next(iter(found)) if len(found) == 1 else None


def _present(folder: Path) -> dict[str, set[str]]:
    """{name without identity: the identities that records have, or runs where there is no record}."""
    found: dict[str, set[str]] = defaultdict(set)
    records = _listed(folder / "records")
    names = [name.removesuffix(".json") for name in records if name.endswith(".json")]
    for name in names:
        begin, identity = _parted(name)
        found[begin].add(identity)
    recorded = set(found)
    for name in _listed(folder / "runs"):
        begin, identity = _parted(name)
        if begin not in recorded:
            found[begin].add(identity)
    found.pop("", None)
    return dict(found)


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _parted(name: str) -> tuple[str, str]:
    """A cell's name without its identity, and the identity's digits; twice nothing where a name has none."""
    match = re.fullmatch(rf"(.+)-([0-9a-f]{{{DIGITS}}})", name)
    return (match[1], match[2]) if match else ("", "")


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))
