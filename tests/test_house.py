"""The house: who may import whom, by the imports themselves, and where what is tested has its tests."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The packages and lone modules of msbench, from the top floor down. Each may import those below it, and itself.
FLOORS = [
    {"cli"},
    {"benchmarking"},
    {"cluster", "leaderboard", "conformance"},
    {"evaluation", "training", "doctor", "scaffold"},
    {"separation", "runs"},
    {"data"},
    {"model", "losses", "metrics"},
    {"records", "registry", "audio"},
    {"system", "public"},
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = sorted((ROOT / "msbench").rglob("*.py"))
FACE = ROOT / "msbench" / "__init__.py"  # hands on names at first use and for type checkers; it is no room


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """The full names that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def room(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "msbench" and len(parts) > 1 else None


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_downwards(path: Path) -> None:
    here = room(dotted(path))
    assert path == FACE or here in FLOOR, f"{here} has no floor: give it one in FLOORS"
    for name in imports(path):
        assert not name.startswith("msbench_plugins"), f"{path.name} knows a single model: {name}"
        there = room(name)
        if path != FACE and there in FLOOR and there != here:
            assert FLOOR[there] > FLOOR[here], f"{here} imports {there}, which is not below it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {dotted(path): path for path in MODULES if path != FACE}
    graph = {}
    for name, path in known.items():
        taken = {each if each in known else each.rpartition(".")[0] for each in imports(path)}
        graph[name] = {each for each in taken if each in known and each != name}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").glob("*.py")), ids=lambda p: p.name)
def test_plugins_import_public_names_alone(path: Path) -> None:
    import msbench

    for name in imports(path):
        if name.startswith("msbench"):
            assert name.removeprefix("msbench.") in msbench.__all__, name


def test_lightning_stays_where_it_belongs() -> None:
    users = {p.relative_to(ROOT / "msbench").as_posix() for p in MODULES if any("lightning" in x for x in imports(p))}
    allowed = {"data/loading/module.py", "doctor.py"}
    assert all(user in allowed or user.startswith("training/") for user in users), users
