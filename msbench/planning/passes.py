"""How much of a model a cell's evaluation runs, from the words of its suite alone: no torch, no model."""

from __future__ import annotations

from collections.abc import Callable

from msbench.runs.settings import OVERLAP
from msbench.runs.suite import Cell
from msbench.weights import catalogue


def passes_of(cell: Cell, networks: Callable[[str], int]) -> float:
    """How many times over each second of a song is separated.

    That is once for each shift, augmentation, and member of an ensemble or bag, each time as often as chunks overlap.

    Args:
        cell: Of a suite.
        networks: `networks_of`, or what remembers it: to read the catalogs takes some time.
    """
    chosen = cell.inference
    shifts, tta, overlap = (chosen.get(name) for name in ("shifts", "tta", "overlap"))
    times = max(1, shifts or 0) * (1 + len(set(tta or ()))) * _members(cell, networks)
    return times / (1 - (OVERLAP if overlap is None else overlap))


def networks_of(weights: str) -> int:
    """How many networks published weights are, whose estimates are averaged."""
    found = catalogue.known().get(weights)
    return 1 if found is None else max(1, len(found.mix))


def _members(cell: Cell, networks: Callable[[str], int]) -> int:
    if cell.weights is not None:
        return networks(cell.weights)
    members = cell.separator_options().get("members") if cell.recipe is None else None
    return max(1, len(members)) if isinstance(members, list | tuple) else 1
