"""docs/fidelity.md: what is registered has its rows, and what holds a row is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from msbench import registry
from msbench.metrics import catalogue

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fidelity.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
NOTHING = ("not by a test", "see Scores", "-")  # what "held by" may say in the place of a test


def rows(section: str) -> Iterator[list[str]]:
    """The cells of each row below a table's head."""
    for line in SECTIONS[section].splitlines():
        cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" |")]
        if line.startswith("|") and cells[0] != "point" and not line.startswith("|---"):
            yield cells


def ours(kind: str) -> list[str]:
    return [name for name, entry in registry.entries(kind).items() if entry.module.startswith("msbench")]


@pytest.mark.parametrize("name", ours("models"))
def test_a_system_has_its_rows(name: str) -> None:
    """A system is done when what is exact and what differs is written down."""
    if registry.load("models", name).role == "system":
        assert name in SECTIONS, f"docs/fidelity.md has no section {name}: say in it what is exact and what differs"
        assert any(rows(name)), f"the section {name} of docs/fidelity.md has no row"
    else:
        assert f"`{name}`" in SECTIONS["Oracles and floors"]


@pytest.mark.parametrize(
    ("section", "names"),
    [("Datasets", ours("datasets")), ("Losses", ours("losses")), ("Scores", list(catalogue.NAMES))],
)
def test_what_is_registered_is_compared(section: str, names: list[str]) -> None:
    assert [name for name in names if f"`{name}`" not in SECTIONS[section]] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_each_row_says_which_test_holds_it(section: str) -> None:
    for cells in rows(section):
        assert len(cells) == 5, f"a row of {section} has {len(cells)} cells: {cells}"
        held = re.findall(r"`([^`]*test_[^`]*)`", cells[-1])
        assert held or cells[-1] in NOTHING, f"{section}, {cells[0]}: name a test, or write '{NOTHING[0]}'"
        path = ROOT / "tests"
        for name in held:
            if name.endswith(".py"):  # a bare name lies in the folder of the one before it
                path = ROOT / name if "/" in name else path.parent / name
                assert path.is_file(), f"{section}, {cells[0]}: there is no {name}"
            else:
                function = f"def {name}("
                assert function in path.read_text("utf-8"), f"{section}, {cells[0]}: {path.name} has no {name}"
