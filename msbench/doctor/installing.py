"""The line that installs, repairs or removes a package in this very environment."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata

from packaging.requirements import Requirement

_IN_SITE_PACKAGES = re.compile(r"(?:site|dist)-packages/([\w.-]+?)(?:\.libs)?/")


def install(*requirements: str, again: bool = False) -> str:
    """The command that installs packages, with pip where this environment has it, or else with uv."""
    force = (" --force-reinstall" if _has_pip() else " --reinstall") if again else ""
    return f"{_installer()} install{force}{_to_here()} {' '.join(map(shlex.quote, requirements))}"


def uninstall(package: str) -> str:
    return f"{_installer()} uninstall{_to_here()} {shlex.quote(package)}"


def _has_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def _installer() -> str:
    return f"{shlex.quote(sys.executable)} -m pip" if _has_pip() else "uv pip"


def _to_here() -> str:
    return "" if _has_pip() else f" --python {shlex.quote(sys.executable)}"


def wanted() -> list[Requirement]:
    """What msbench asks for, without its extras."""
    return list(_requirements("msbench"))


def requirement(package: str) -> str:
    """A package as msbench asks for it: "soxr>=0.4"; its name alone where msbench does not."""
    return next((str(each) for each in wanted() if _normal(each.name) == _normal(package)), package)


def mend(error: BaseException, package: str) -> str:
    """The command that repairs a package of msbench that cannot be imported.

    Args:
        error: What its import raised.
        package: Its distribution.
    """
    if isinstance(error, ModuleNotFoundError):
        return install(requirement(package))  # it, and whatever of its own requirements is missing
    found = _IN_SITE_PACKAGES.search(str(error))  # the library that the system could not load
    module = found[1] if found else _innermost(error) or package
    culprit = next(iter(metadata.packages_distributions().get(module, [])), package)
    if _normal(culprit) not in _all_wanted():
        return f"{uninstall(culprit)} (msbench does not need it; or install the release of it that fits)"
    return install(requirement(culprit), again=True)


def _innermost(error: BaseException) -> str | None:
    """The top-level module of an installed package that was running when an error was raised."""
    trace, module = error.__traceback__, None
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "").partition(".")[0]
        if name not in sys.stdlib_module_names and name not in ("msbench", ""):
            module = name
        trace = trace.tb_next
    return module


@cache
def _all_wanted() -> frozenset[str]:
    """The names of what msbench asks for, and of what that asks for."""
    names, todo = {"msbench"}, ["msbench"]
    while todo:
        for each in _requirements(todo.pop()):
            name = _normal(each.name)
            if name not in names:
                names.add(name)
                todo.append(name)
    return frozenset(names)


def _requirements(package: str) -> Iterator[Requirement]:
    try:
        lines = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        each = Requirement(line)
        if each.marker is None or each.marker.evaluate({"extra": ""}):
            each.marker = None
            yield each


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
