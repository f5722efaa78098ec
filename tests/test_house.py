"""Who may import whom, and where Lightning may be used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Each layer may import those below it, and its own.
LAYERS = [
    {"cli"},
    {"cluster", "leaderboard"},
    {"evaluation", "training", "conformance", "scaffold", "doctor"},
    {"separation"},
    {"data", "runs"},
    {"model", "losses", "metrics"},
    {"records", "registry"},
    {"system", "audio"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = sorted((ROOT / "msbench").rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def layer_of(dotted: str) -> str | None:
    parts = dotted.split(".")
    name = parts[1] if parts[0] == "msbench" and len(parts) > 1 else ""
    return next((layer for layer in RANK if name == layer or name.startswith(f"{layer}_")), None)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_downwards(path: Path) -> None:
    here = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for dotted in imports(path):
        there = layer_of(dotted)
        if here and there:
            assert RANK[there] >= RANK[here], f"{here} imports {there}"
        assert not dotted.startswith("msbench_plugins"), f"{path.name} knows a single model: {dotted}"


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").glob("*.py")), ids=lambda p: p.name)
def test_plugins_import_public_names_alone(path: Path) -> None:
    import msbench

    for dotted in imports(path):
        if dotted.startswith("msbench"):
            assert dotted.removeprefix("msbench.") in msbench.__all__, dotted


def test_lightning_stays_where_it_belongs() -> None:
    users = {p.relative_to(ROOT / "msbench").as_posix() for p in MODULES if any("lightning" in x for x in imports(p))}
    allowed = {"data/loading/module.py", "doctor.py"}
    assert all(user in allowed or user.startswith("training/") for user in users), users
