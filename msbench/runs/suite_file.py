"""A suite file as it stands: its fields, and their types. No recipe, model or dataset that it names is looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msbench.records.record import digest
from msbench.runs.model_entry import ModelEntry, model_entry, scenario
from msbench.runs.resources import some_resources
from msbench.runs.settings import UNNAMED, inference_settings, log_settings
from msbench.runs.studies import Study, studies_of, with_factors
from msbench.runs.sweeps import expand, size
from msbench.system.errors import located
from msbench.system.fields import (
    declared,
    file_name,
    flag,
    heading,
    list_of,
    mapping_of,
    one_of,
    read_given,
    shown,
    text,
    whole_number,
)
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
    "models.*.weights",
    "models.*.scenario.*",
    "models.*.label",
    "models.*.study",
    "models.*.baseline",
)
LONGEST_CELL = 240  # bytes of a cell's name: file systems end names at 255, and an extension follows
LARGEST_SEED = 2**32 - 1  # that NumPy takes
LARGEST_SWEEP = 1_000  # cells of a suite's sweeps, unless more are asked for
MOST_SWEPT = 30_000  # cells at all, which take seconds to name: a few words of YAML can stand for billions
DIGITS = 8  # of the identity, in a name


def cell_name(label: str, dataset: str, seed: int | None, identity: str | None) -> str:
    """Name of a cell's folder and record."""
    name = f"{label}-{dataset}" + ("" if seed is None else f"-s{seed}")
    return name if identity is None else f"{name}-{identity[:DIGITS]}"


@dataclass(frozen=True, kw_only=True)
class SuiteFile:
    """The fields of a suite file. Entries that sweep are expanded: `models` has one for each of their cells."""

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
    scenario: tuple[str, ...] = declared(scenario, ())
    pooled: bool = declared(flag, False)
    inference: dict[str, Any] = declared(inference_settings, factory=dict)
    log: dict[str, Any] = declared(log_settings, factory=dict)  # of every training; not part of the name
    studies: tuple[Study, ...] = ()

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
        for entry, label in zip(self.models, labels, strict=True):
            plain_name(label, f"field '{entry.where}': the label")
            for dataset in self.datasets:
                name = cell_name(label, dataset, LARGEST_SEED, "0" * DIGITS)
                if len(name.encode()) > LONGEST_CELL:
                    raise ValueError(
                        f"field '{entry.where}': label and dataset together are too long for the name of a file "
                        f"({shown(name)}): give it a shorter `label`"
                    )
        twice = next((label for label, count in Counter(labels).items() if count > 1), None)
        if twice is not None:
            places = " and ".join(
                entry.where for entry, label in zip(self.models, labels, strict=True) if label == twice
            )
            raise ValueError(f"{places} are both called {shown(twice)}: give each a `label` of its own")

    def inference_of(self, entry: ModelEntry) -> dict[str, Any]:
        """How a model is run, as far as the suite or its entry says it."""
        return {**self.inference, **entry.inference}

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
        inference = self.inference_of(entry)
        given = {key: value for key, value in entry.set.items() if key not in UNNAMED}
        return digest(
            [model, recipe, str(self.checkpoint(entry) or ""), given, *scored]
            + ([] if self.metrics is None else [self.metrics])
            + ([{"inference": inference}] if inference else [])
            + ([] if entry.weights is None else [{"weights": entry.weights}])
        )


def read_suite_file(path: str | Path, yes: bool = True) -> SuiteFile:
    """Read a suite file, or the `suite.yaml` of a folder, check the type of each field and expand its sweeps.

    Args:
        path: The file or its folder.
        yes: Whether its sweeps may stand for more than 1,000 cells.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not YAML, a field is unknown, absent or of the wrong type, or a sweep or a study cannot be;
            the message names file, field and value, and says what may be.
    """
    path = Path(path).resolve()
    if path.is_dir():
        path = path / "suite.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"no suite file {path}: give the path of a suite.yaml")
    content = read_yaml(path, NAMES)
    with located(str(path)):
        file = SuiteFile(path=path, **read_given(SuiteFile, content))
        _check_count(file, yes)
        models = with_factors([cell for entry in file.models for cell in expand(entry)])
        return replace(file, models=tuple(models), studies=studies_of(models))


def _check_count(file: SuiteFile, yes: bool) -> None:
    """Count the cells of sweeps that are not expanded yet."""
    runs = len(file.datasets) * len(file.seeds or (0,))
    count = runs * sum(size(entry) for entry in file.models if entry.swept)
    if count > MOST_SWEPT:
        raise ValueError(f"its sweeps stand for {count:,} cells, and at most {MOST_SWEPT:,} can be: sweep fewer values")
    if count > LARGEST_SWEEP and not yes:
        raise ValueError(
            f"its sweeps stand for {count:,} cells, more than {LARGEST_SWEEP:,}: sweep fewer values, or say --yes (in "
            "Python, yes=True)"
        )
