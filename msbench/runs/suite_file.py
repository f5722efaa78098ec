"""A suite file as it stands: its fields, and their types. No recipe, model or dataset that it names is looked up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msbench.records.record import digest
from msbench.runs.fields import (
    declared,
    file_name,
    flag,
    heading,
    list_of,
    mapping_of,
    one_of,
    read_fields,
    read_given,
    refuse,
    setting,
    shown,
    text,
    whole_number,
)
from msbench.runs.resources import some_resources
from msbench.system.errors import located
from msbench.system.names import plain_name
from msbench.system.yaml_files import read_yaml

BACKENDS = ("fast", "museval")  # of `msbench.bss_eval`, whose module takes seconds to import
# What names something is text, whatever YAML would take it for.
NAMES = (
    "board",
    "title",
    "split",
    "datasets.*",
    "roots.*",
    "scenario.*",
    "models.*",
    "models.*.recipe",
    "models.*.model",
    "models.*.checkpoint",
    "models.*.label",
)
LONGEST_CELL = 240  # bytes of a cell's name: file systems end names at 255, and an extension follows
OWN_SETTINGS = ("output", "config", "name", "help", "print_config", "print_shtab")  # that a suite's cell sets itself
LARGEST_SEED = 2**32 - 1  # that NumPy takes


DIGITS = 8  # of the identity, in a name


def cell_name(label: str, dataset: str, seed: int | None, identity: str | None) -> str:
    """Name of a cell's folder and record."""
    name = f"{label}-{dataset}" + ("" if seed is None else f"-s{seed}")
    return name if identity is None else f"{name}-{identity[:DIGITS]}"


def settings(value: Any, where: str) -> dict[str, Any]:
    """The kind of `set`: dotted names of the flags of `msbench fit`, but for those that say where a run is kept."""
    found: dict[str, Any] = mapping_of(setting, "a mapping of settings", "{trainer.max_epochs: 100}")(value, where)
    for key in found:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", key):
            raise ValueError(f"field '{where}': {shown(key)} is no name of a setting, as trainer.max_epochs")
        if key.partition(".")[0] in OWN_SETTINGS:
            raise ValueError(f"field '{where}': '{key}' cannot be set in a suite, which sees to it itself: remove it")
    return found


@dataclass(frozen=True)
class ModelEntry:
    """One entry of a suite's `models`. An entry that is one name is kept in `bare`: it may be a recipe or a model."""

    recipe: str | None = declared(text, None)
    model: str | None = declared(text, None)
    checkpoint: str | None = declared(text, None)
    label: str | None = declared(file_name, None)
    set: dict[str, Any] = declared(settings, factory=dict)
    resources: dict[str, Any] = declared(some_resources, factory=dict)
    bare: str | None = None


def model_entry(value: Any, where: str) -> ModelEntry:
    """The kind of an entry of `models`."""
    if isinstance(value, str):
        return ModelEntry(bare=text(value, where))
    if not isinstance(value, dict):
        raise refuse(where, "the name of a recipe or a model, or fields, as {recipe: unet_small}", value)
    entry = read_fields(ModelEntry, value, where)
    if entry.recipe is None and entry.model is None:
        raise ValueError(f"field '{where}' needs `recipe:` or `model:`, and has {', '.join(value) or 'no field'}")
    return entry


@dataclass(frozen=True, kw_only=True)
class SuiteFile:
    """The fields of a suite file."""

    path: Path
    datasets: tuple[str, ...] = declared(list_of(file_name, "names of datasets", "[musdb18hq]", least=1, repeats=False))
    models: tuple[ModelEntry, ...] = declared(list_of(model_entry, "models or recipes", "[unet_small]", least=1))
    board: str | None = declared(file_name, None)
    title: str | None = declared(heading, None)
    seeds: tuple[int, ...] = declared(list_of(whole_number(0, LARGEST_SEED), "seeds", "[0, 1, 2]", repeats=False), ())
    roots: dict[str, str] = declared(mapping_of(text, "folders by dataset", "{musdb18hq: /data/musdb}"), factory=dict)
    split: str = declared(file_name, "test")
    backend: str = declared(one_of(*BACKENDS), "fast")
    resources: dict[str, Any] = declared(some_resources, factory=dict)
    excerpts: int = declared(whole_number(0), 0)
    metrics: tuple[str, ...] | None = declared(list_of(text, "names of metrics", "[si-sdr, snr]", repeats=False), None)
    scenario: tuple[str, ...] = declared(
        list_of(file_name, "two targets or more", "[vocals, accompaniment]", least=2, repeats=False), ()
    )
    pooled: bool = declared(flag, False)

    @property
    def folder(self) -> Path:
        """The board's folder."""
        return self.path.parent

    @property
    def board_name(self) -> str:
        return self.board or self.folder.name

    @property
    def board_title(self) -> str:
        return self.title or self.board_name

    def checkpoint(self, entry: ModelEntry) -> Path | None:
        return None if entry.checkpoint is None else (self.folder / entry.checkpoint).resolve()

    def check_labels(self, labels: Sequence[str]) -> None:
        """Refuse labels that cannot name files, and two rows of one label, whatever else tells the rows apart.

        Args:
            labels: One of each entry of `models`.
        """
        for i, label in enumerate(labels):
            plain_name(label, f"field 'models[{i}]': the label")
            for dataset in self.datasets:
                name = cell_name(label, dataset, LARGEST_SEED, "0" * DIGITS)
                if len(name.encode()) > LONGEST_CELL:
                    raise ValueError(
                        f"field 'models[{i}]': label and dataset together are too long for the name of a file "
                        f"({shown(name)}): give it a shorter `label`"
                    )
        twice = next((label for label, count in Counter(labels).items() if count > 1), None)
        if twice is not None:
            places = " and ".join(f"models[{i}]" for i, label in enumerate(labels) if label == twice)
            raise ValueError(f"{places} are both called {shown(twice)}: give each a `label` of its own")

    def seeds_of(self, trained: bool) -> tuple[int | None, ...]:
        """The seeds of a model; what is not trained has none."""
        return (self.seeds or (0,)) if trained else (None,)

    def identity(self, entry: ModelEntry, model: str, recipe: dict[str, Any] | None) -> str:
        """Digest of what a cell trains and how it is scored, but for its dataset and seed.

        It follows from the words of the suite and of the recipe alone, so that a cell has its name before torch or any
        model is loaded. The name that `msbench fit` gives a run without a suite comes from the configuration with all
        defaults filled in instead (training/identity.py), so that a change of a default makes another run there.
        """
        scored = [self.split, self.backend]
        return digest(
            [model, recipe, str(self.checkpoint(entry) or ""), entry.set, *scored]
            + ([] if self.metrics is None else [self.metrics])
        )


def read_suite_file(path: str | Path) -> SuiteFile:
    """Read a suite file, or the `suite.yaml` of a folder, and check the type of each field.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not YAML, or a field is unknown, absent or of the wrong type; the message names file, field
            and value, and says what may be.
    """
    path = Path(path).resolve()
    if path.is_dir():
        path = path / "suite.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"no suite file {path}: give the path of a suite.yaml")
    content = read_yaml(path, NAMES)
    with located(str(path)):
        return SuiteFile(path=path, **read_given(SuiteFile, content))
