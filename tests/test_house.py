"""The house: who may import whom, by the imports themselves, and where what is tested has its tests."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The packages and lone modules of msbench, from the top floor down. Each may import those below it, and itself.
FLOORS = [
    {"cli"},
    {"benchmarking", "planning"},
    {"cluster", "leaderboard", "conformance"},
    {"training", "doctor", "scaffold"},
    {"evaluation"},
    {"separation", "runs"},
    {"data"},
    {"weights"},
    {"model", "losses", "metrics"},
    {"records", "registry", "audio"},
    {"system", "public"},
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = sorted((ROOT / "msbench").rglob("*.py"))
# Modules without a test file of their own name: which tests hold them instead, or why there is nothing to test.
TESTED_ELSEWHERE = {
    "audio/streams": "separation/test_pipeline: resampled streams",
    "cli/__main__": "cli/test_app starts it as a process",
    "cli/adding": "cli/test_app",
    "cli/board": "leaderboard/test_board and leaderboard/test_reported, through the command line",
    "cli/board_warnings": "leaderboard/test_board and site/test_build, through the command line",
    "cli/data": "data/upkeep, through the command line",
    "cli/evaluate": "evaluation/test_run and cli/test_app",
    "cli/models": "cli/test_app, conformance/test_checks, scaffold/test_create, training/test_joining",
    "cli/weights": "weights/test_catalogue, test_fetching and test_published, through the command line",
    "cluster/status": "cluster/test_slurm, on a real cluster",
    "cluster/submit": "cluster/test_slurm, on a real cluster; what it sends: cluster/test_submission",
    "conformance/execution": "conformance/test_checks: each check on a model that breaks it",
    "conformance/training": "conformance/test_checks: each check on a model that breaks it",
    "data/demo/instruments": "data/demo/test_songs",
    "data/loading/draws": "data/loading/test_places: chunks to the bit",
    "data/prepared": "data/upkeep/test_prepare",
    "data/song": "data/test_track, data/upkeep/test_verify, data/loading/test_faults",
    "data/upkeep/card": "data/upkeep/test_verify",
    "data/upkeep/progress": "a bar on a terminal: data/upkeep/test_prepare and test_verify draw it",
    "data/upkeep/song_check": "data/upkeep/test_verify",
    "data/upkeep/stored_song": "data/upkeep/test_prepare",
    "doctor/contents": "doctor/test_machine: a broken plugin, no demo songs",
    "doctor/finding": "a tuple alone",
    "doctor/libraries": "doctor/test_installing",
    "evaluation/sources": "a protocol and its tuples: evaluation/test_folder_source and test_model_source",
    "leaderboard/chart": "leaderboard/test_board and test_push",
    "leaderboard/check": "leaderboard/test_reported",
    "leaderboard/paired": "leaderboard/test_statistics and test_study_statistics",
    "leaderboard/publish": "leaderboard/test_board and test_reported",
    "leaderboard/rankings": "leaderboard/test_board",
    "leaderboard/render": "leaderboard/test_exports",
    "leaderboard/rows": "leaderboard/test_board and test_reported: ranks, gains, odd records",
    "leaderboard/sisec18": "leaderboard/test_reported",
    "leaderboard/study_chart": "leaderboard/test_study",
    "leaderboard/study_points": "leaderboard/test_study",
    "leaderboard/study_render": "leaderboard/test_study",
    "leaderboard/study_words": "leaderboard/test_study and site/test_study_page",
    "leaderboard/site/cards": "leaderboard/site/test_build and test_browser",
    "leaderboard/site/chart_data": "leaderboard/site/test_build and test_browser",
    "leaderboard/site/home_cards": "leaderboard/site/test_home",
    "leaderboard/site/health": "leaderboard/site/test_build and test_browser",
    "leaderboard/site/methods": "leaderboard/site/test_build and test_browser",
    "leaderboard/site/ranking": "leaderboard/site/test_build and test_browser",
    "leaderboard/site/serve": "leaderboard/site/test_build",
    "leaderboard/site/sound": "leaderboard/site/test_build and test_browser",
    "leaderboard/site/tables": "leaderboard/site/test_build and test_browser",
    "losses/levels": "losses/test_spectra",
    "losses/log_wmse": "losses/test_spectra",
    "losses/parts": "losses/test_criterion",
    "model/checkpoint_file": "model/test_checkpoints: files of every kind",
    "records/schema": "records/test_types holds it and the types together",
    "runs/levels": "runs/test_sweeps and runs/test_suite_file",
    "runs/model_entry": "runs/test_suite_file: a table of every field",
    "scaffold/templates": "texts alone: scaffold/test_create runs them",
    "separation/joining": "separation/test_chunks: what was cut is joined again",
    "system/exit_codes": "numbers alone: cli/test_app sees them from a shell",
    "system/fields": "runs/test_suite_file and cluster/test_profile: tables of every field",
    "training/flags": "cluster/test_settings",
    "training/measuring": "planning/test_measuring, in a process of its own",
    "training/command_line": "training/test_fit; the hashes of runs: data/loading/test_module",
}
# More than seven parameters where the signature is the configuration, or a library's own.
MANY_PARAMETERS = {
    "data/loading/module.py:__init__",
    "metrics/bsseval/score.py:bss_eval",
    "model/separator.py:__init__",
    "training/module.py:__init__",
}
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


def test_what_is_imported_of_msbench_is_there() -> None:
    """mypy passes over modules that it does not find, and an import within a function fails when it is too late."""
    known = {dotted(path) for path in MODULES}
    for path in [*MODULES, *(ROOT / "plugins").glob("*.py"), *(ROOT / "slurm").glob("*.py")]:
        for name in imports(path):
            if name.startswith("msbench."):
                assert name in known or name.rpartition(".")[0] in known, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").glob("*.py")), ids=lambda p: p.name)
def test_plugins_import_public_names_alone(path: Path) -> None:
    import msbench

    for name in imports(path):
        if name.startswith("msbench"):
            assert name.removeprefix("msbench.") in msbench.__all__, name


def test_lightning_stays_where_it_belongs() -> None:
    users = {p.relative_to(ROOT / "msbench").as_posix() for p in MODULES if any("lightning" in x for x in imports(p))}
    allowed = {"data/loading/module.py", "doctor/__init__.py"}
    assert all(user in allowed or user.startswith("training/") for user in users), users


def test_every_module_has_its_tests() -> None:
    without = set()
    for path in MODULES:
        place = path.relative_to(ROOT / "msbench")
        if path.name != "__init__.py" and not (ROOT / "tests" / place.with_name(f"test_{place.name}")).exists():
            without.add(place.with_suffix("").as_posix())
    assert without - TESTED_ELSEWHERE.keys() == set(), "write its tests, or say in TESTED_ELSEWHERE which hold it"
    assert TESTED_ELSEWHERE.keys() - without == set(), "it has tests of its own now, or is gone"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_function_takes_more_than_seven_parameters(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            place = f"{path.relative_to(ROOT / 'msbench').as_posix()}:{node.name}"
            count = len([name for name in names if name not in ("self", "cls")])
            assert count <= 7 or place in MANY_PARAMETERS, f"{place} takes {count}: gather them in a frozen value"


def test_the_map_in_contributing_is_that_of_the_floors() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| `msbench/(\w+)(?:\.py)?` \| (.+) \|$", text, re.MULTILINE)
    names = [name for name, _ in rows]
    assert set(names) == FLOOR.keys(), "write a row for each package in CONTRIBUTING.md, under Packages"
    assert names == sorted(names, key=FLOOR.__getitem__), "the rows go down the floors"
