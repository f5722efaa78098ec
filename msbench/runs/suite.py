"""Suites: a YAML file of models, datasets and seeds, and the cells it stands for, ready to be run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from os.path import isfile
from pathlib import Path
from typing import Any

from msbench import records, registry
from msbench.records.further import lacks
from msbench.runs.model_entry import ModelEntry
from msbench.runs.naming import Recipes
from msbench.runs.relative_paths import settings_with_paths
from msbench.runs.studies import Study
from msbench.runs.suite_file import SuiteFile, cell_name, read_suite_file
from msbench.system.errors import is_bug, located
from msbench.system.files import refuse_links
from msbench.system.names import inside


@dataclass(frozen=True)
class Cell:
    """One model x dataset x seed. Its folder's name never changes while what is trained stays the same."""

    label: str
    model: str  # registered name
    dataset: str
    seed: int | None  # None where nothing is trained
    identity: str  # `SuiteFile.identity`
    recipe: dict[str, Any] | None = None  # as its file was when the suite was read
    checkpoint: Path | None = None
    weights: str | None = None  # published ones, by name
    overrides: dict[str, Any] = field(default_factory=dict)  # dotted keys, as flags of `msbench fit`
    root: Path | None = None
    split: str = "test"
    backend: str = "fast"
    metrics: tuple[str, ...] | None = None  # in addition to BSSEval; evaluation's own choice when None
    scenario: tuple[str, ...] = ()  # targets scored once more; it and `pooled` are no part of the name
    pooled: bool = False  # whether medians over the windows of all tracks are kept too
    excerpts: int = 0  # tracks of which seconds are kept for the board to play; not part of the name
    resources: dict[str, Any] = field(default_factory=dict)  # of its training; fields of `Resources`
    inference: dict[str, Any] = field(default_factory=dict)  # of its evaluation; fields of `Inference`
    study: str | None = None
    factors: dict[str, Any] = field(default_factory=dict)  # its values of those of its study

    @property
    def name(self) -> str:
        """Folder and record name: label, dataset, seed, and eight digits of what is trained and how it is scored."""
        return cell_name(self.label, self.dataset, self.seed, self.identity)

    def flags(self) -> list[str]:
        """What tells its training from those of other cells of its recipe, as flags of `msbench fit`."""
        flags = ["--data.dataset", self.dataset, "--seed_everything", str(self.seed), "--data.seed", str(self.seed)]
        if self.root is not None:
            flags += ["--data.root", str(self.root)]
        for key, value in self.overrides.items():
            flags += [f"--{key}", value if isinstance(value, str) else json.dumps(value)]
        return flags

    def separator_options(self) -> dict[str, Any]:
        """The constructor's arguments among the overrides."""
        prefix = "separator."
        return {k.removeprefix(prefix): v for k, v in self.overrides.items() if k.startswith(prefix)}


@dataclass(frozen=True)
class Suite:
    """A suite whose names are resolved: each of its cells can be run."""

    path: Path
    board: str
    title: str
    cells: tuple[Cell, ...]
    studies: tuple[Study, ...] = ()

    @property
    def folder(self) -> Path:
        """The board's folder: records/, runs/ and the tables lie next to the suite file."""
        return self.path.parent

    def record_path(self, cell: Cell) -> Path:
        return self.folder / "records" / f"{cell.name}.json"

    def refuse_links(self, cell: Cell) -> None:
        """Refuse links in what a cell writes, as a cloned board may hold; `runs` itself may be one, to a larger disk.

        Raises:
            ValueError: If there is one that leads elsewhere.
        """
        refuse_links(self.run_folder(cell))
        inside(self.folder, "records", f"{cell.name}.json")

    def run_folder(self, cell: Cell) -> Path:
        return self.folder / "runs" / cell.name

    def has_record(self, cell: Cell) -> bool:
        """Whether the record of a cell is there, and has all that the suite asks for now."""
        try:
            record = records.read(self.record_path(cell))
        except (OSError, ValueError) as error:
            if is_bug(error):
                raise
            return False
        return not lacks(record, cell.scenario, cell.pooled)


def read_suite(path: str | Path, yes: bool = True) -> Suite:
    """Read a suite file and look up all that it names. What only reads results calls `name_cells` instead.

    Args:
        path: The file or its folder.
        yes: Whether its sweeps may stand for more than 1,000 cells.

    Raises:
        FileNotFoundError: If there is no such file, or a recipe or checkpoint it names is not there.
        ValueError: If a field is unknown or has the wrong type, a model, dataset or metric is unknown or its library is
            not installed, or two rows would have the same name; the message names file and field.
    """
    file = read_suite_file(path, yes)
    if file.metrics:
        from msbench.metrics import catalogue  # now, and not after a day of training

        with located(f"{file.path}: field 'metrics'"):
            catalogue.check_names(file.metrics, catalogue.VOICES)
    for dataset in file.datasets:
        with located(f"{file.path}: field 'datasets'"):
            registry.find("datasets", dataset)
    recipes, find_model = Recipes(file.folder), cache(lambda model: registry.find("models", model))
    rows = []
    for entry in file.models:
        with located(f"{file.path}: field '{entry.where}'"):
            rows.append(_row(file, entry, recipes))
            find_model(rows[-1].model)
    with located(str(file.path)):
        file.check_labels([row.label for row in rows])
    cells = []
    for dataset in file.datasets:
        root = (file.folder / file.roots[dataset]).resolve() if dataset in file.roots else None
        for row in rows:
            seeds = file.seeds_of(trained=row.recipe is not None)
            cells += [replace(row, dataset=dataset, root=root, seed=seed) for seed in seeds]
    twice = next((name for name, count in Counter(cell.name for cell in cells).items() if count > 1), None)
    if twice:  # "a-b" on "c" and "a" on "b-c"
        raise ValueError(f"{file.path} lists {twice.rsplit('-', 1)[0]} twice: give one of the two another `label`")
    return Suite(file.path, file.board_name, file.board_title, tuple(cells), file.studies)


def _row(file: SuiteFile, entry: ModelEntry, recipes: Recipes) -> Cell:
    """The cell of a model entry, of no dataset and no seed yet."""
    name, recipe = recipes.name_in(entry), None
    model: Any = entry.network
    label = entry.label
    if name is not None:
        found = recipes.find(name)
        recipe = recipes.read(found)
        model, label = entry.model or recipe.get("name"), label or found.stem
        if not isinstance(model, str):
            raise ValueError(f"{found} names no model: add a line `name: MODEL` (msbench list models)")
    checkpoint = file.checkpoint(entry)
    if checkpoint is not None and not isfile(checkpoint):
        raise FileNotFoundError(f"no checkpoint {checkpoint}")
    identity, label = file.identity(entry, model, recipe), label or model
    if entry.weights is not None:
        model = recipes.weights(entry.weights).model
    log = {} if recipe is None else file.log
    return Cell(
        label=label,
        model=model,
        dataset="",
        seed=None,
        identity=identity,
        recipe=None if recipe is None else recipes.opened(found),
        checkpoint=checkpoint,
        weights=entry.weights,
        overrides=settings_with_paths({**log, **entry.set}, file.path),
        split=file.split,
        backend=file.backend,
        metrics=file.metrics,
        scenario=file.scenario if entry.scenario is None else entry.scenario,
        pooled=file.pooled,
        excerpts=file.excerpts,
        resources={**file.resources, **entry.resources},
        inference=file.inference_of(entry),
        study=entry.study,
        factors={key: level.value for key, level in entry.factors.items()},
    )
