"""A suite file as it stands: its fields, and their types. No recipe, model or dataset that it names is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msbench.records.record import digest
from msbench.runs.fields import (
    declared,
    file_name,
    list_of,
    mapping_of,
    one_of,
    read_fields,
    read_given,
    refuse,
    setting,
    text,
    whole_number,
)
from msbench.runs.resources import some_resources
from msbench.system.errors import located
from msbench.system.yaml_files import read_yaml

BACKENDS = ("fast", "museval")  # of `msbench.bss_eval`, whose module takes seconds to import
LARGEST_SEED = 2**32 - 1  # that NumPy takes


@dataclass(frozen=True)
class ModelEntry:
    """One entry of a suite's `models`. An entry that is one name is kept in `bare`: it may be a recipe or a model."""

    recipe: str | None = declared(text, None)
    model: str | None = declared(text, None)
    checkpoint: str | None = declared(text, None)
    label: str | None = declared(file_name, None)
    set: dict[str, Any] = declared(
        mapping_of(setting, "a mapping of settings", "{trainer.max_epochs: 100}"), factory=dict
    )
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
    datasets: tuple[str, ...] = declared(list_of(file_name, "names of datasets", "[musdb18hq]", least=1))
    models: tuple[ModelEntry, ...] = declared(list_of(model_entry, "models or recipes", "[unet_small]", least=1))
    board: str | None = declared(text, None)
    title: str | None = declared(text, None)
    seeds: tuple[int, ...] = declared(list_of(whole_number(0, LARGEST_SEED), "seeds", "[0, 1, 2]", repeats=False), ())
    roots: dict[str, str] = declared(mapping_of(text, "folders by dataset", "{musdb18hq: /data/musdb}"), factory=dict)
    split: str = declared(text, "test")
    backend: str = declared(one_of(*BACKENDS), "fast")
    resources: dict[str, Any] = declared(some_resources, factory=dict)
    excerpts: int = declared(whole_number(0), 0)
    metrics: tuple[str, ...] | None = declared(list_of(text, "names of metrics", "[si-sdr, snr]", repeats=False), None)

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
    content = read_yaml(path)
    with located(str(path)):
        return SuiteFile(path=path, **read_given(SuiteFile, content))
