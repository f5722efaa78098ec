"""Fills in the templates of slurm/: scripts that a user can read, edit and submit by hand."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from importlib.resources import files
from pathlib import Path

from msbench.cluster.plan import JobArray, Plan
from msbench.cluster.profile import Profile
from msbench.runs.resources import Resources
from msbench.runs.suite import Suite
from msbench.system.bounded import read_text, shown
from msbench.system.exit_codes import SAVED
from msbench.system.fields import CONTROLS
from msbench.system.files import write_text

EXPORTED = ("MSBENCH_PLUGINS", "MSBENCH_DATA")


def write_all(plan: Plan, profile: Profile, folder: Path) -> None:
    """Write the scripts of a plan into a folder.

    Raises:
        ValueError: If a path holds a control character.
    """
    for array in plan.arrays:
        write_array(array, plan.suite, profile, folder)
    write_aggregate(plan.suite, profile, folder)


def is_ours(path: Path) -> bool:
    """Whether a script was written here: it names its job as the file is called, and msbench."""
    try:
        text = read_text(path)
    except (OSError, ValueError):
        return False
    return f"\n#SBATCH --job-name={path.stem}\n" in text and "msbench" in text


def write_array(array: JobArray, suite: Suite, profile: Profile, folder: Path) -> None:
    """Write `<folder>/<array>.sh`, and the list of its cells next to it."""
    _check(folder, suite.path)
    write_text(folder / f"{array.name}.cells", "".join(f"{cell.name}\n" for cell in array.cells))
    at_once = f"%{profile.at_once}" if profile.at_once else ""
    what = "Trains" if array.stage == "train" else "Separates and scores"
    script = folder / f"{array.name}.sh"
    fields = {
        "WHAT": f"{what} {len(array.cells)} cells of {suite.path}, one per element.",
        "SCRIPT": shlex.quote(str(script)),
        "LOG": _log(folder / "logs" / array.name, "_%a.log"),
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
    _check(path, suite.path, Path.cwd())
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
        "FOLDER": _option(str(Path.cwd())),
        "LOG": _log(path.parent / "logs" / f"{name}.log"),
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
    # In one pass: what a value holds is never taken for a field.
    write_text(path, re.sub(r"@([A-Z_]+)@", lambda field: values[field[1]], text))


def _log(path: Path, pattern: str = "") -> str:
    """A log's path for an #SBATCH line, where a percent sign begins a pattern."""
    return _option(str(path).replace("%", "%%") + pattern)


def _option(text: str) -> str:
    """A value for an #SBATCH line, where a space ends an option and `#` begins a comment."""
    return text if re.fullmatch(r"[\w@%+=:,./-]*", text) else '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _check(*paths: Path) -> None:
    """Refuse what would be a line of its own in a script, even within a comment.

    Raises:
        ValueError: If a path holds a control character.
    """
    for path in paths:
        if any(unicodedata.category(letter) in CONTROLS for letter in str(path)):
            raise ValueError(f"{shown(str(path))} holds a control character: rename the folder, for scripts")
