"""What some tests need of the machine: skipped without it, or failed where MSBENCH_REQUIRE names it, as CI does."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from typing import Any

import pytest

NEEDS = {  # name -> (executables, or several that serve alike, separated by |; Debian packages)
    "slurm": (("sinfo", "sbatch", "munged"), "slurm-wlm munge"),
    "browser": (("chromium|chromium-browser|google-chrome",), "chromium"),
    "ffmpeg": (("ffmpeg", "ffprobe"), "ffmpeg"),
}
MODULES = {"docs": (("mkdocs", "material", "mkdocstrings", "latex2mathml"), "uv sync --group docs")}
_SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")  # daemons are there, often outside a user's PATH


def require(name: str) -> None:
    """Go on where there is "slurm", "browser", "ffmpeg" or "docs"; else skip the test, saying what to install.

    It fails instead where MSBENCH_REQUIRE, names separated by commas, holds the name: there, nothing may be skipped.
    """
    if name in MODULES:
        modules, command = MODULES[name]
        missing = [each for each in modules if importlib.util.find_spec(each) is None]
    else:
        executables, packages = NEEDS[name]
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS])
        missing = [each for each in executables if not any(shutil.which(one, path=path) for one in each.split("|"))]
        command = f"apt install {packages}"
    if not missing:
        return
    reason = f"no {', '.join(missing)} on this machine: {command}"
    _give_up(name, reason)


def peer(module: str) -> Any:
    """A module of a package that msbench is compared with, from the dependency group `peers` of pyproject.toml.

    Without it, the test is skipped, or fails where MSBENCH_REQUIRE holds "peers".
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        _give_up("peers", f"no {module} ({error}): make sync")


def _give_up(name: str, reason: str) -> None:
    if name in [part.strip() for part in os.environ.get("MSBENCH_REQUIRE", "").split(",")]:
        pytest.fail(f"MSBENCH_REQUIRE names {name}, but there is {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
