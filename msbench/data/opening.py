"""Opens a dataset by its registered name, in its published layout or as `data prepare` wrote it."""

from __future__ import annotations

from pathlib import Path

from msbench import registry
from msbench.data.dataset import PREPARED, Dataset, default_root
from msbench.data.prepared import Prepared


def open_dataset(name: str, root: str | Path | None = None, stem_map: str | Path | None = None) -> Dataset:
    """Open a registered dataset, in its published layout or as `data prepare` wrote it.

    Raises:
        KeyError: If the name is unknown (the nearest names are given).
        ImportError: If its plugin does not import.
        FileNotFoundError: If its folder does not exist.
        ValueError: If its folder holds another dataset, prepared.
    """
    loaded = registry.load("datasets", name)
    folder = default_root(name) if root is None else Path(root).expanduser()
    if (folder / PREPARED).is_file():
        if stem_map is not None:
            raise ValueError(f"{folder} is prepared with a stem map already: prepare the dataset's own folder with it")
        return Prepared(name, folder)
    if stem_map is not None and not loaded.takes_stem_map:
        raise ValueError(f"dataset '{name}' has the targets {', '.join(loaded.targets)}: no stem map applies to it")
    dataset: Dataset = loaded(root) if stem_map is None else loaded(root, stem_map=stem_map)
    return dataset
