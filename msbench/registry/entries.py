"""Finds plugins (models, datasets, losses and families of weights) and imports none of them until it is asked for one.

A plugin is an entry point of an installed package in the group `msbench.models`, `msbench.datasets`, `msbench.losses`
or `msbench.weights`, or a single file named by `--plugin` or MSBENCH_PLUGINS. Our own come through the same door.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from msbench.registry import source as plugin_source
from msbench.system import errors
from msbench.system.bounded import cut
from msbench.system.wording import choices

LONGEST_SHOWN = 200  # letters of an unknown name that a message repeats
UNSURE = plugin_source.UNSURE
KINDS = ("models", "datasets", "losses", "weights")
_ONE = {"losses": "loss", "weights": "family of weights"}  # of a kind whose name is not that of one with an s


@dataclass(frozen=True)
class Entry:
    """One registered name: where its code is, and who brought it."""

    kind: str
    name: str
    module: str  # dotted name, or the path of a single file
    attribute: str
    origin: str  # the distribution's name and version, or the path of a single file
    error: str | None = None  # set where registration itself failed: a name taken twice, a file that says nothing

    @property
    def path(self) -> Path | None:
        """The source file, found without importing it; None for a module that has none."""
        return Path(self.module) if self.module.endswith(".py") else plugin_source.locate(self.module)

    def described(self) -> str:
        return f"{_ONE.get(self.kind, self.kind[:-1])} '{self.name}' from {self.origin}"


def plugin_files() -> list[Path]:
    """The single-file plugins named by MSBENCH_PLUGINS: files, or folders of files, separated as in PATH.

    Raises:
        FileNotFoundError: If a path named there does not exist.
    """
    files: list[Path] = []
    for part in filter(None, os.environ.get("MSBENCH_PLUGINS", "").split(os.pathsep)):
        path = Path(part).expanduser().resolve()
        if not path.exists():
            raise FileNotFoundError(f"no plugin file or folder {path}: correct --plugin or MSBENCH_PLUGINS")
        files += sorted(p for p in path.glob("*.py") if p.name[0] not in "_.") if path.is_dir() else [path]
    return list(dict.fromkeys(files))


def entries(kind: str) -> dict[str, Entry]:
    """Every registered name of a kind, sorted; nothing is imported.

    Raises:
        ValueError: If there is no such kind.
        FileNotFoundError: If MSBENCH_PLUGINS names a path that does not exist.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind '{kind}': one of {', '.join(KINDS)}")
    found: list[Entry] = []
    for point in entry_points(group=f"msbench.{kind}"):
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else "an installed package"
        found.append(Entry(kind, point.name, point.module, point.attr, origin))
    for path in plugin_files():
        found += _entries_of_file(kind, path)
    unique: dict[str, Entry] = {}
    for entry in sorted(found, key=lambda e: e.name):
        first = unique.setdefault(entry.name, entry)
        if (first.module, first.attribute) != (entry.module, entry.attribute):
            reason = f"the name is registered twice, by {first.origin} and by {entry.origin}: remove or rename one"
            unique[entry.name] = replace(first, error=reason)
    return unique


def licence_of(kind: str, name: str) -> str | None:
    """What the package that brought a name says of its licence; None for a single file."""
    point = next((point for point in entry_points(group=f"msbench.{kind}") if point.name == name), None)
    if point is None or point.dist is None:
        return None
    about = point.dist.metadata.json
    found = about.get("license_expression") or about.get("license")
    return None if found is None else str(found)


def _entries_of_file(kind: str, path: Path) -> list[Entry]:
    try:
        declared = plugin_source.declared(path)
    except plugin_source.UNREADABLE as error:
        # What a file that cannot be read would have held is unknown: it is shown among the models, where people look.
        broken = Entry("models", path.stem, str(path), "", str(path), errors.named(error))
        return [broken] if kind == "models" else []
    if not any(declared.values()) and kind == "models":
        reason = "it defines no Separator, no Dataset and no loss(estimates, references)"
        return [Entry(kind, path.stem, str(path), "", str(path), reason)]
    return [Entry(kind, name, str(path), attribute, str(path)) for name, attribute in declared.get(kind, {}).items()]


def judge(entry: Entry) -> str | None:
    """What reading a plugin's source tells of its import: None for sound, an error, or `UNSURE`; nothing is run."""
    if entry.error:
        return entry.error
    if entry.path is None:
        return UNSURE
    try:
        return plugin_source.verdict(entry.path, entry.attribute)
    except RecursionError:  # an expression that is thousands deep
        return UNSURE


def error_of(entry: Entry) -> str | None:
    """Why a plugin does not import, or None.

    Its source is read first: where that proves the import sound, or names what is missing, nothing is imported (and
    so not torch either). Only code that does more than define things at import is imported for real.
    """
    verdict = judge(entry)
    if verdict is not UNSURE:
        return verdict
    try:
        _import(entry)
    except BaseException as error:  # a stranger's module may raise anything, SystemExit too
        return errors.named(error)
    return None


def summary_of(entry: Entry) -> str:
    """First line of the plugin's docstring, read from its source."""
    return "" if entry.path is None else plugin_source.summary(entry.path, entry.attribute)


def find(kind: str, name: str) -> Entry:
    """The entry of a name.

    Raises:
        KeyError: If there is none; the nearest names and all names are given.
    """
    known = entries(kind)
    if name in known:
        return known[name]
    one = _ONE.get(kind, kind[:-1])
    name = cut(name, LONGEST_SHOWN)
    raise KeyError(
        f"unknown {one} '{name}'. {choices(name, known)} "
        f"(msbench list {kind} shows them. An entry point added since its package was installed is seen after "
        "reinstalling it; a single file is loaded by --plugin FILE.)"
    )


def load(kind: str, name: str) -> Any:
    """Import one plugin and return its class or function.

    Raises:
        KeyError: If the name is unknown.
        ImportError: If the plugin does not import; the message holds its error.
    """
    entry = find(kind, name)
    if entry.error:
        raise ImportError(f"{entry.described()} is broken: {entry.error}")
    try:
        return _import(entry)
    except Exception as error:
        raise ImportError(f"{entry.described()} is broken: {errors.named(error)}") from error


def _import(entry: Entry) -> Any:
    errors.AUTHORS.add(entry.module.partition(".")[0])  # what it raises on purpose speaks to the user
    module = _import_file(Path(entry.module)) if entry.module.endswith(".py") else importlib.import_module(entry.module)
    target: Any = module
    for part in entry.attribute.split("."):
        target = getattr(target, part)
    return target


def _import_file(path: Path) -> ModuleType:
    # The path is in the name, so that two files of the same name stay two modules.
    name = f"msbench_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def recipes() -> dict[str, Path]:
    """Every recipe that lies next to a model plugin: NAME.yaml (the paper's) and NAME_<variant>.yaml."""
    found: dict[str, Path] = {}
    for name, entry in entries("models").items():
        if entry.path is not None:
            for path in sorted(entry.path.parent.glob(f"{name}*.yaml")):
                if path.stem == name or path.stem.startswith(f"{name}_"):
                    found[path.stem] = path
    return dict(sorted(found.items()))


def find_recipe(name: str) -> Path:
    """The file of a recipe, given its path or its name.

    Raises:
        FileNotFoundError: If there is neither; the nearest names are given.
    """
    if os.path.isfile(name):  # unlike Path's, it is no error for a name that no file can have
        return Path(name)
    known = recipes()
    if name in known:
        return known[name]
    name = cut(name, LONGEST_SHOWN)
    raise FileNotFoundError(f"no recipe '{name}', neither a file nor a name. {choices(name, known)}")
