"""The state file of a run: what it is doing, for those who watch."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


def write_state(folder: Path, **state: Any) -> None:
    """Replace the run's state.json at once, so that a reader never sees half of one."""
    temporary = folder / ".state.json"
    temporary.write_text(json.dumps({**state, "time": time.time()}))
    temporary.replace(folder / "state.json")


def read_state(folder: Path) -> dict[str, Any]:
    """What the run last wrote: stage, part done, metrics or error; empty where there is nothing."""
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except (OSError, json.JSONDecodeError):
        return {}
    return state
