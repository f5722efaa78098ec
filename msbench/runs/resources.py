"""What a job needs of a machine."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Resources:
    """What one job needs. A job has one process (rank) a GPU, or one a node where it takes no GPU.

    Raises:
        ValueError: If a number is below what it may be.
    """

    nodes: int = 1
    gpus: int = 1  # of each node
    cpus: int = 4  # of each process
    memory_gb: float = 16.0  # of each node
    hours: float = 12.0  # wall time, after which the job is saved and requeued

    def __post_init__(self) -> None:
        for field, least in (("nodes", 1), ("gpus", 0), ("cpus", 1)):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"resources: {field} must be a whole number of at least {least}, not {value!r}")
        for field in ("memory_gb", "hours"):
            value = getattr(self, field)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
                raise ValueError(f"resources: {field} must be a number above 0, not {value!r}")

    def __str__(self) -> str:
        return ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self))

    @property
    def ranks_per_node(self) -> int:
        return max(self.gpus, 1)

    def but(self, changes: dict[str, Any]) -> Resources:
        """These, with some fields changed.

        Raises:
            ValueError: If a field is unknown or its value is none.
        """
        known = [field.name for field in fields(self)]
        for key in changes:
            if key not in known:
                raise ValueError(f"resources: unknown field '{key}': the fields are {', '.join(known)}")
        return replace(self, **changes)
