"""Suites: a YAML file of models, datasets and seeds, and the cells it stands for."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from msbench import registry
from msbench.records.record import digest
from msbench.runs.resources import Resources

FIELDS = (
    "board",
    "title",
    "datasets",
    "seeds",
    "models",
    "roots",
    "split",
    "backend",
    "resources",
    "excerpts",
    "metrics",
)
MODEL_FIELDS = ("recipe", "model", "checkpoint", "label", "set", "resources")


@dataclass(frozen=True)
class Cell:
    """One model x dataset x seed. Its folder's name never changes while what is trained stays the same."""

    label: str
    model: str  # registered name
    dataset: str
    seed: int | None  # None where nothing is trained
    identity: str  # digest of what is trained and how it is scored, but for the dataset and the seed
    recipe: dict[str, Any] | None = None  # as its file was when the suite was read, whatever becomes of that
    checkpoint: Path | None = None
    overrides: dict[str, Any] = field(default_factory=dict)  # dotted keys, as flags of `msbench fit`
    root: Path | None = None
    split: str = "test"
    backend: str = "fast"
    metrics: tuple[str, ...] | None = None  # beside BSSEval; evaluation's own choice when None
    excerpts: int = 0  # tracks of which seconds are kept for the board to play; not part of the name
    resources: dict[str, Any] = field(default_factory=dict)  # of its training; fields of `Resources`

    @property
    def name(self) -> str:
        """Folder and record name: label, dataset, seed, and eight digits of what is trained and how it is scored."""
        seed = "" if self.seed is None else f"-s{self.seed}"
        return f"{self.label}-{self.dataset}{seed}-{self.identity[:8]}"

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
        content = _load(path)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    _check_fields(content, FIELDS, ("datasets", "models"), str(path))
    metrics = content.get("metrics")
    if metrics is not None and not (isinstance(metrics, list) and all(isinstance(name, str) for name in metrics)):
        raise ValueError(f"{path}: field 'metrics' must be a list of names, as [si-sdr, snr], not {metrics!r}")
    if metrics:
        from msbench.metrics import catalogue as beside  # now, and not after a day of training

        beside.check_names(metrics, beside.VOICES)
    if not isinstance(content.get("excerpts") or 0, int):
        raise ValueError(f"{path}: field 'excerpts' must be a number of tracks, not {content['excerpts']!r}")
    for dataset in content["datasets"]:
        registry.find("datasets", dataset)
    rows = _rows(content, path)
    roots = content.get("roots") or {}
    cells = []
    for dataset in content["datasets"]:
        root = (path.parent / roots[dataset]).resolve() if dataset in roots else None
        for row in rows:
            seeds = [None] if row.recipe is None else content.get("seeds") or [0]
            cells += [replace(row, dataset=dataset, root=root, seed=seed) for seed in seeds]
    twice = next((name for name, count in Counter(cell.name for cell in cells).items() if count > 1), None)
    if twice:
        raise ValueError(f"{path} lists {twice.rsplit('-', 1)[0]} twice: give one of the two another `label`")
    board = content.get("board") or path.parent.name
    return Suite(path, board, content.get("title") or board, tuple(cells))


def _load(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # ten times faster


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


def _rows(suite: dict[str, Any], path: Path) -> list[Cell]:
    """One cell for each model entry, of no dataset and no seed yet. Every file and name is looked up once."""
    recipes = registry.recipes()
    read = cache(lambda file: _load(file) or {})
    known = cache(lambda model: registry.find("models", model))
    rows = []
    for given in suite["models"]:
        entry = given
        if isinstance(given, str):
            is_recipe = given in recipes or given.endswith((".yaml", ".yml")) or (path.parent / given).is_file()
            entry = {"recipe": given} if is_recipe else {"model": given}
        _check_fields(entry, MODEL_FIELDS, (), f"{path}, models")
        model, file, recipe = entry.get("model"), None, None
        if entry.get("recipe") is not None:
            beside = path.parent / entry["recipe"]
            file = beside if beside.is_file() else recipes.get(entry["recipe"]) or registry.find_recipe(entry["recipe"])
            recipe = read(file)
            model = model or recipe.get("name")
            if model is None:
                raise ValueError(f"{file} names no model: add a line `name: MODEL` (msbench list models)")
        if model is None:
            raise ValueError(f"{path}: a model entry needs `recipe:` or `model:`, not {entry}")
        known(model)
        rows.append(_row(entry, model, entry.get("label") or (file.stem if file else model), recipe, suite, path))
    return rows


def _row(
    entry: dict[str, Any], model: str, label: str, recipe: dict[str, Any] | None, suite: dict[str, Any], path: Path
) -> Cell:
    checkpoint = None if entry.get("checkpoint") is None else (path.parent / entry["checkpoint"]).resolve()
    if checkpoint is not None and not checkpoint.is_file():
        raise FileNotFoundError(f"{path}: no checkpoint {checkpoint}")
    resources = {**(suite.get("resources") or {}), **(entry.get("resources") or {})}
    try:
        Resources().but(resources)
    except ValueError as error:
        raise ValueError(f"{path}, {label}: {error}") from error
    overrides, split, backend = entry.get("set") or {}, suite.get("split") or "test", suite.get("backend") or "fast"
    metrics = None if suite.get("metrics") is None else tuple(suite["metrics"])
    scored = [split, backend] if metrics is None else [split, backend, metrics]
    identity = digest([model, recipe, str(checkpoint or ""), overrides, *scored])
    return Cell(
        label, model, dataset="", seed=None, identity=identity, recipe=recipe, checkpoint=checkpoint,
        overrides=overrides, split=split, backend=backend, metrics=metrics,
        excerpts=suite.get("excerpts") or 0, resources=resources,
    )  # fmt: skip
