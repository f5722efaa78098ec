"""What pyproject.toml declares is what the product imports: users do not have what only developers install."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PRODUCT = sorted(path for name in ("msbench", "plugins", "slurm") for path in (ROOT / name).rglob("*.py"))
# Declared, and imported by no statement of ours.
READ_BY_PATH = {
    "museval",  # its metrics.py, as `import museval` fails without ffmpeg
    "tensorboard",  # torch.utils.tensorboard imports it
    *("bitsandbytes", "prodigyopt"),  # a recipe names their optimizers by class_path
}


def names_of(requirements: list[str]) -> set[str]:
    return {_normal(Requirement(line).name) for line in requirements}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def third_parties(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(top-level module, line, whether it is imported only when a function is called) of each third-party import."""
    tree = ast.parse(path.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    late = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        for module in modules:
            top = module.partition(".")[0]
            if top not in sys.stdlib_module_names and not top.startswith("msbench"):
                yield top, node.lineno, id(node) in late


def distributions_of(module: str) -> set[str]:
    return {_normal(name) for name in INSTALLED.get(module, [module])}


INSTALLED = metadata.packages_distributions()
DECLARED = names_of(PROJECT["project"]["dependencies"])
EXTRAS = {name: names_of(lines) for name, lines in PROJECT["project"]["optional-dependencies"].items()}


def test_every_import_of_a_third_party_is_declared() -> None:
    optional = set().union(*EXTRAS.values())
    for path in PRODUCT:
        for module, line, late in third_parties(path):
            place, found = f"{path.relative_to(ROOT)}:{line}", distributions_of(module)
            assert found & (DECLARED | optional), f"{place} imports {module}: declare it in pyproject.toml"
            if not found & DECLARED:
                assert late, (
                    f"{place} imports {module}, of an extra: import it where it is used, and say what to install"
                )


def test_every_dependency_is_imported() -> None:
    imported = {name for path in PRODUCT for module, *_ in third_parties(path) for name in distributions_of(module)}
    for name in [*DECLARED, *(name for extra in EXTRAS.values() for name in extra)]:
        assert name in imported | READ_BY_PATH, f"nothing imports {name}: take it out of pyproject.toml"


def test_what_is_compared_with_is_no_dependency() -> None:
    """They hold old releases of others: asteroid needs torchmetrics 0.11, and that a setuptools with pkg_resources."""
    assert not DECLARED & names_of([line for line in PROJECT["dependency-groups"]["peers"]])
    assert not DECLARED & {"pytest", "setuptools", "torchaudio", "requests"}


@pytest.mark.parametrize("line", PROJECT["project"]["dependencies"])
def test_every_dependency_says_its_lowest_release(line: str) -> None:
    assert any(each.operator == ">=" for each in Requirement(line).specifier), (
        f"{line}: without a lowest release, `make environments` would test the first one ever published"
    )
