"""An evaluation that is kept in a folder, under a name: what `msbench evaluate` does, for Python too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msbench import records
from msbench.records.types import Record
from msbench.weights.opening import names_checkpoint


def evaluate_into_folder(
    score: Callable[..., Record],
    given: str | Path,
    dataset: str,
    *,
    output: str | Path | None = None,
    label: str | None = None,
    **options: Any,
) -> Path:
    """Score a model, or files, and keep the record with the tracks' results.

    Args:
        score: `msbench.evaluate` or `msbench.evaluate_estimates`.
        given: What it scores: a model's name, a checkpoint's path, or a folder of estimates.
        dataset: A registered name.
        output: Folder for the record and the results per track; evaluations/<label>-<dataset> when None.
        label: Name of the row on a board; `default_label` when None, with shifts and augmentations, if any.
        options: Further keywords of `score`.

    Returns:
        The record's path, <output>/record.json.

    Raises:
        ValueError, FileNotFoundError, TypeError, ModuleNotFoundError: As `score`.
    """
    label = label or f"{default_label(given)}{_passes(options)}"
    folder = Path(output or Path("evaluations") / f"{label}-{dataset}")
    record = score(given, dataset, output=folder, label=label, **options)
    path = folder / "record.json"
    records.write(path, record)
    return path


def _passes(options: Mapping[str, Any]) -> str:
    """ "-shifts5-tta_swap", as a sweep would call it: on a board, such a row stands beside that without."""
    shifts, tta = options.get("shifts"), options.get("tta")
    return (f"-shifts{shifts}" if shifts else "") + (f"-tta_{'_'.join(sorted(tta))}" if tta else "")


def default_label(given: str | Path) -> str:
    """The name of a checkpoint's folder (that of its run) or of a folder of estimates; a model's own name."""
    if isinstance(given, Path) and given.is_dir():
        return given.resolve().name
    if names_checkpoint(given):
        return Path(given).resolve().parent.name
    return Path(given).resolve().name if isinstance(given, Path) else given
