"""What a job needs of a machine."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from msbench.system.fields import declared, number_above_zero, read_given, whole_number


@dataclass(frozen=True)
class Resources:
    """What one job needs. A job has one process (rank) per GPU, or one per node where it takes no GPU.

    Raises:
        ValueError: If a number is below what it may be.
    """

    nodes: int = declared(whole_number(1), 1)
    gpus: int = declared(whole_number(0), 1)  # of each node
    cpus: int = declared(whole_number(1), 4)  # of each process
    memory_gb: float = declared(number_above_zero, 16.0)  # of each node
    hours: float = declared(number_above_zero, 12.0)  # wall time, after which the job is saved and requeued

    def __post_init__(self) -> None:
        for field in fields(self):
            field.metadata["kind"](getattr(self, field.name), field.name)

    def __str__(self) -> str:
        return ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self))

    @property
    def ranks_per_node(self) -> int:
        return max(self.gpus, 1)

    def but(self, changes: Any, where: str = "resources") -> Resources:
        """These, with some fields changed; `where` is the path of the field that holds the changes.

        Raises:
            ValueError: If a field is unknown or its value cannot be.
        """
        return replace(self, **read_given(Resources, changes, where))


def some_resources(value: Any, where: str) -> dict[str, Any]:
    """The kind of a field that changes some of the fields of `Resources`."""
    return read_given(Resources, value, where)
