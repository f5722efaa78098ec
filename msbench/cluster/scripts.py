"""Fills in the templates of slurm/: scripts that a user can read, edit and submit by hand."""

from __future__ import annotations

import os
import shlex
from importlib.resources import files
from pathlib import Path

from msbench.cluster.plan import JobArray, Plan
from msbench.cluster.profile import Profile
from msbench.runs.resources import Resources
from msbench.runs.suite import Suite
from msbench.system.exit_codes import SAVED
from msbench.system.files import write_text

EXPORTED = ("MSBENCH_PLUGINS", "MSBENCH_DATA")


def write_all(plan: Plan, profile: Profile, folder: Path) -> None:
    """Write the scripts of a plan into a folder."""
    for array in plan.arrays:
        write_array(array, plan.suite, profile, folder)
    write_aggregate(plan.suite, profile, folder)


def write_array(array: JobArray, suite: Suite, profile: Profile, folder: Path) -> None:
    """Write `<folder>/<array>.sh`, and the list of its cells next to it."""
    write_text(folder / f"{array.name}.cells", "".join(f"{cell.name}\n" for cell in array.cells))
    at_once = f"%{profile.at_once}" if profile.at_once else ""
    what = "Trains" if array.stage == "train" else "Separates and scores"
    script = folder / f"{array.name}.sh"
    fields = {
        "WHAT": f"{what} {len(array.cells)} cells of {suite.path}, one per element.",
        "SCRIPT": shlex.quote(str(script)),
        "LOG": _quoted(folder / "logs" / array.name, "_%a.log"),
        "ARRAY": f"0-{len(array.cells) - 1}{at_once}",
        "RANKS": str(array.resources.ranks_per_node if array.stage == "train" else 1),  # one process scores a cell
        "STAGE": array.stage,
        "CELLS": shlex.quote(str(folder / f"{array.name}.cells")),
        "SAVED": str(SAVED),
        "REQUEUES": str(profile.most_requeues if profile.requeue else 0),
    }
    _write(script, "cells.sh", array.name, fields, array.resources, suite, profile)


def write_aggregate(suite: Suite, profile: Profile, folder: Path) -> None:
    """Write `<folder>/aggregate.sh`."""
    _write(folder / "aggregate.sh", "aggregate.sh", "aggregate", {}, profile.aggregate, suite, profile)


def _write(
    path: Path, template: str, name: str, fields: dict[str, str], resources: Resources, suite: Suite, profile: Profile
) -> None:
    minutes = max(1, round(resources.hours * 60))
    exports = {key: os.environ[key] for key in EXPORTED if os.environ.get(key)}
    if profile.scratch:
        fields = {**fields, "SETUP": "\n".join([f'export TMPDIR="{profile.scratch}"', *profile.setup])}
    values = {
        "NAME": name,
        "NODES": str(resources.nodes),
        "CPUS": str(resources.cpus),
        "MEMORY": f"{round(resources.memory_gb * 1024)}M",
        "TIME": f"{minutes // 60}:{minutes % 60:02}:00",
        "OPTIONS": "\n".join(f"#SBATCH {option}" for option in profile.sbatch_options(resources)),
        "FOLDER": f'"{Path.cwd()}"' if " " in str(Path.cwd()) else str(Path.cwd()),
        "LOG": _quoted(path.parent / "logs" / f"{name}.log"),
        "EXPORTS": "\n".join(f"export {key}={shlex.quote(value)}" for key, value in exports.items()),
        "SETUP": "\n".join(profile.setup),
        "SAVE_SECONDS": str(profile.save_seconds),
        "CONTAINER": f"{profile.container} " if profile.container else "",
        "PYTHON": profile.python,
        "SUITE": shlex.quote(str(suite.path)),
        "BOARD": shlex.quote(str(suite.folder)),
        **fields,
    }
    text = files("msbench_slurm").joinpath(template).read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    write_text(path, text)


def _quoted(path: Path, pattern: str = "") -> str:
    """A path for an #SBATCH line, where a percent sign begins a pattern and a space ends the option."""
    text = str(path).replace("%", "%%") + pattern
    return f'"{text}"' if " " in text else text
