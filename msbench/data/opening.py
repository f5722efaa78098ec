"""Opens a dataset by its registered name, in its published layout or as `data prepare` wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msbench import registry
from msbench.data.dataset import PREPARED, Dataset, default_root
from msbench.data.prepared import Prepared


def open_dataset(
    name: str, root: str | Path | None = None, stem_map: str | Path | None = None, *, keep_faults: bool = False
) -> Dataset:
    """Open a registered dataset, in its published layout or as `data prepare` wrote it.

    Args:
        name: As it is registered.
        root: Its folder.
        stem_map: A YAML file, where its targets follow from one.
        keep_faults: Open it in spite of faults that `verify` lists, as far as it can be.

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
    options: dict[str, Any] = {} if stem_map is None else {"stem_map": stem_map}
    if keep_faults and loaded.may_keep_faults:
        options["keep_faults"] = True
    dataset: Dataset = loaded(root, **options)
    return dataset
