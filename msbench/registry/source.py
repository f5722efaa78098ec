"""Reads a plugin's source without importing it, so that listing plugins costs milliseconds and never loads torch."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import re
import sys
from functools import cache
from pathlib import Path

from msbench.public import PUBLIC
from msbench.system import bounded
from msbench.system.errors import named

LONGEST = 2**20  # bytes of a source file; ours have a fiftieth of it
UNSURE = "unsure"  # the verdict on code that only a real import can judge
# What reading and parsing a stranger's file may raise. ValueError: bytes that are not UTF-8, or zero among them.
UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)


@cache
def _top_level(package: str) -> tuple[Path | None, tuple[str, ...]] | None:
    """(source file, folders of a package) of a top-level module, or None where it is not installed."""
    if package in sys.builtin_module_names:
        return None, ()
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    origin = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    return origin, tuple(spec.submodule_search_locations or ())


def locate(module: str) -> Path | None:
    """The source file of a dotted module; its parent packages are not imported."""
    package, _, rest = module.partition(".")
    top = _top_level(package)
    if top is None:
        return None
    if not rest:
        return top[0]
    for folder in top[1]:
        base = Path(folder, *rest.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
    return None


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(bounded.read_text(path, LONGEST), filename=str(path))


def _definition(tree: ast.Module, name: str) -> ast.stmt | None:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    return None


def summary(path: Path, name: str) -> str:
    """First line of the docstring of a class or function, or of its module."""
    try:
        tree = _parse(path)
    except UNREADABLE:
        return ""
    node = _definition(tree, name)
    documented = node if isinstance(node, ast.ClassDef | ast.FunctionDef) else tree
    text = ast.get_docstring(documented) or ast.get_docstring(tree) or ""
    return text.strip().split("\n")[0]


def declared(path: Path) -> dict[str, dict[str, str]]:
    """What a single file registers, {kind: {name: attribute}}.

    A class whose base ends in `Separator` is a model, one whose base ends in `Dataset` a dataset, and a function of
    (estimates, references) a loss. A lone model or dataset is named as its file, several as their classes.

    Raises:
        OSError, SyntaxError, ValueError, RecursionError, MemoryError: If the file is no Python that can be read.
    """
    found: dict[str, list[str]] = {"models": [], "datasets": [], "losses": []}
    for node in _parse(path).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            bases = [ast.unparse(base) for base in node.bases]
            if any(base.endswith("Separator") for base in bases):
                found["models"].append(node.name)
            elif any(base.endswith("Dataset") for base in bases):
                found["datasets"].append(node.name)
        elif isinstance(node, ast.FunctionDef) and [a.arg for a in node.args.args[:2]] == ["estimates", "references"]:
            found["losses"].append(node.name)
    named = {"losses": {name: name for name in found["losses"]}}
    for kind in ("models", "datasets"):
        lone = len(found[kind]) == 1
        named[kind] = {path.stem if lone else _snake(name): name for name in found[kind]}
    return named


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def verdict(path: Path, attribute: str) -> str | None:
    """Whether importing `attribute` from a file would work: None if so, the error if not, `UNSURE` if it must be tried.

    Sure are files that at import only import and define: their imports must be installed, what they take from msbench
    must be there, every name used must be known, and so must the attribute. (What they take from other packages is
    not looked into.)
    """
    try:
        tree = _parse(path)
    except UNREADABLE as error:
        return named(error)
    known = set(dir(builtins))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            problem = _import_problem(node)
            if problem:
                return problem
            known |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif _only_defines(node) and {n.id for n in _evaluated(node, "annotations" in known)} <= known:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            known |= {n.id for target in targets if target for n in ast.walk(target) if isinstance(n, ast.Name)}
            known |= {getattr(node, "name", "")}
        else:
            return UNSURE
    return None if attribute in known else f"AttributeError: {path.name} defines no '{attribute}'"


def _only_defines(node: ast.stmt) -> bool:
    """Whether a statement calls nothing at import: a definition, a docstring, a constant, an `if TYPE_CHECKING`."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        evaluated = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
    elif isinstance(node, ast.ClassDef):
        return all(_only_defines(child) for child in node.body)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        evaluated = [node.value]
    elif isinstance(node, ast.If):
        return ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    else:
        return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    return not any(isinstance(n, ast.Call | ast.BinOp) for value in evaluated if value for n in ast.walk(value))


def _evaluated(node: ast.stmt, annotations_are_lazy: bool) -> list[ast.Name]:
    """The names that a module-level statement looks up while its module is imported."""
    roots: list[ast.AST | None] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        roots += [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
        if not annotations_are_lazy:
            roots += [node.returns, *(a.annotation for a in ast.walk(node.args) if isinstance(a, ast.arg))]
    elif isinstance(node, ast.ClassDef):
        own = {getattr(child, "name", None) for child in node.body}
        own |= {n.id for child in node.body for n in ast.walk(child) if isinstance(n, ast.Name) and _stored(n)}
        inner = [name for child in node.body for name in _evaluated(child, annotations_are_lazy)]
        roots += [*node.decorator_list, *node.bases, *node.keywords, *(n for n in inner if n.id not in own)]
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        roots += [node.value]
        if isinstance(node, ast.AnnAssign) and not annotations_are_lazy:
            roots += [node.annotation]
    return [n for root in roots if root for n in ast.walk(root) if isinstance(n, ast.Name) and not _stored(n)]


def _stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _import_problem(node: ast.Import | ast.ImportFrom) -> str | None:
    if isinstance(node, ast.ImportFrom):
        if node.level or node.module is None:
            return None  # a relative import stays within a package that is there
        modules = [node.module]
    else:
        modules = [alias.name for alias in node.names]
    for module in modules:
        if _top_level(module.partition(".")[0]) is None:
            return f"ModuleNotFoundError: No module named '{module.partition('.')[0]}'"
    if isinstance(node, ast.ImportFrom) and node.module == "msbench":
        for alias in node.names:
            if alias.name not in {*PUBLIC, "__version__"} and locate(f"msbench.{alias.name}") is None:
                return f"ImportError: cannot import name '{alias.name}' from 'msbench'"
    elif module.startswith("msbench.") and locate(module) is None:
        return f"ModuleNotFoundError: No module named '{module}'"
    return None
