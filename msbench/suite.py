"""Suites: a YAML file of models, datasets and seeds, and the cells it stands for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from msbench import registry
from msbench.records import digest

FIELDS = ("board", "title", "datasets", "seeds", "models", "roots", "split", "backend", "excerpts")
MODEL_FIELDS = ("recipe", "model", "checkpoint", "label", "set")


@dataclass(frozen=True)
class Cell:
    """One model x dataset x seed. Its folder's name never changes while what is trained stays the same."""

    label: str
    model: str  # registered name
    dataset: str
    seed: int | None  # None where nothing is trained
    recipe: dict[str, Any] | None = None  # as its file was when the suite was read, whatever becomes of that
    checkpoint: Path | None = None
    overrides: dict[str, Any] = field(default_factory=dict)  # dotted keys, as flags of `msbench fit`
    root: Path | None = None
    split: str = "test"
    backend: str = "fast"
    excerpts: int = 0  # tracks of which seconds are kept for the board to play; not part of the name

    @property
    def name(self) -> str:
        """Folder and record name: label, dataset, seed, and eight digits of what is trained and how it is scored."""
        identity = digest(
            [self.model, self.recipe, str(self.checkpoint or ""), self.overrides, self.split, self.backend]
        )
        seed = "" if self.seed is None else f"-s{self.seed}"
        return f"{self.label}-{self.dataset}{seed}-{identity[:8]}"

    def separator_options(self) -> dict[str, Any]:
        """The constructor's arguments among the overrides."""
        prefix = "separator."
        return {k.removeprefix(prefix): v for k, v in self.overrides.items() if k.startswith(prefix)}


@dataclass(frozen=True)
class Suite:
    """A suite file, read and checked."""

    path: Path
    board: str
    title: str
    cells: tuple[Cell, ...]

    @property
    def folder(self) -> Path:
        """The board's folder: records/, runs/ and the tables lie beside the suite file."""
        return self.path.parent

    def record_path(self, cell: Cell) -> Path:
        return self.folder / "records" / f"{cell.name}.json"

    def run_folder(self, cell: Cell) -> Path:
        return self.folder / "runs" / cell.name


def read_suite(path: str | Path) -> Suite:
    """Read a suite file.

    Raises:
        FileNotFoundError: If there is no such file, or a recipe or checkpoint it names is not there.
        ValueError: If a field is unknown or has the wrong type, or two rows would have the same name.
        KeyError: If a model or a dataset is unknown.
    """
    path = Path(path).resolve()
    if path.is_dir():
        path = path / "suite.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"no suite file {path}: give the path of a suite.yaml")
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    _check_fields(content, FIELDS, ("datasets", "models"), str(path))
    if not isinstance(content.get("excerpts") or 0, int):
        raise ValueError(f"{path}: field 'excerpts' must be a number of tracks, not {content['excerpts']!r}")
    roots = content.get("roots") or {}
    cells = []
    for dataset in content["datasets"]:
        registry.find("datasets", dataset)
        root = (path.parent / roots[dataset]).resolve() if dataset in roots else None
        for entry in content["models"]:
            cells += _cells(entry, dataset, content, root, path)
    names = [cell.name for cell in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"{path} lists {twice.rsplit('-', 1)[0]} twice: give one of the two another `label`")
    board = content.get("board") or path.parent.name
    return Suite(path, board, content.get("title") or board, tuple(cells))


def _check_fields(content: Any, known: tuple[str, ...], required: tuple[str, ...], where: str) -> None:
    if not isinstance(content, dict):
        raise ValueError(f"{where}: expected fields, one of {', '.join(known)}")
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise ValueError(f"{where}: unknown field '{key}': {hint}the fields are {', '.join(known)}")
    for key in required:
        if not isinstance(content.get(key), list) or not content[key]:
            raise ValueError(f"{where}: field '{key}' must be a list of at least one")


def _cells(entry: Any, dataset: str, suite: dict[str, Any], root: Path | None, path: Path) -> list[Cell]:
    if isinstance(entry, str):
        entry = {"recipe": entry} if _is_recipe(entry, path) else {"model": entry}
    _check_fields(entry, MODEL_FIELDS, (), f"{path}, models")
    overrides = entry.get("set") or {}
    model = entry.get("model")
    path_of_recipe, recipe = None, None
    checkpoint = None if entry.get("checkpoint") is None else (path.parent / entry["checkpoint"]).resolve()
    if checkpoint is not None and not checkpoint.is_file():
        raise FileNotFoundError(f"{path}: no checkpoint {checkpoint}")
    if entry.get("recipe") is not None:
        beside = path.parent / entry["recipe"]
        path_of_recipe = beside.resolve() if beside.is_file() else registry.find_recipe(entry["recipe"])
        recipe = yaml.safe_load(path_of_recipe.read_text("utf-8")) or {}
        model = model or recipe.get("name")
        if model is None:
            raise ValueError(f"{path_of_recipe} names no model: add a line `name: MODEL` (msbench list models)")
    if model is None:
        raise ValueError(f"{path}: a model entry needs `recipe:` or `model:`, not {entry}")
    registry.find("models", model)
    label = entry.get("label") or (model if path_of_recipe is None else path_of_recipe.stem)
    seeds = [None] if recipe is None else suite.get("seeds") or [0]
    return [
        Cell(
            label, model, dataset, seed, recipe, checkpoint, overrides, root,
            suite.get("split") or "test", suite.get("backend") or "fast",
            suite.get("excerpts") or 0,
        )
        for seed in seeds
    ]  # fmt: skip


def _is_recipe(name: str, path: Path) -> bool:
    return (path.parent / name).is_file() or name in registry.recipes() or name.endswith((".yaml", ".yml"))
