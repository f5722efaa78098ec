"""What a look at the machine found."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    works: bool
    detail: str
    needed: bool  # whether training, separating and scoring depend on it
    fix: str  # what to do where it does not work
