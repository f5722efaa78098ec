"""What the READMEs say is there: files, commands, make targets, models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msbench import registry
from msbench.cli.app import main

ROOT = Path(__file__).parent.parent
FOLDERS = ("", "plugins", "slurm", "msbench/data", "leaderboards")
PAGES = [ROOT / folder / "README.md" for folder in FOLDERS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_links_and_files_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(
        r"`((?:benchmarks|plugins|leaderboards)/[\w/]+\.py)`", text
    )
    for link in links:
        if not link.startswith("http"):
            assert (page.parent / link).exists() or (ROOT / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_commands_and_targets_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = capsys.readouterr().out
    text = page.read_text("utf-8")
    for command in re.findall(r"(?:^|`)msbench ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"\b{command}\b", known), command
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert target in targets, target


def test_every_dataset_is_in_the_table() -> None:
    table = (ROOT / "msbench" / "data" / "README.md").read_text("utf-8")
    ours = [name for name, entry in registry.entries("datasets").items() if entry.module.startswith("msbench.")]
    assert [name for name in ours if f"| `{name}` |" not in table] == []


def test_every_model_is_in_the_table() -> None:
    table = (ROOT / "plugins" / "README.md").read_text("utf-8")
    ours = [name for name, entry in registry.entries("models").items() if entry.module.startswith("msbench_plugins")]
    assert [name for name in ours if f"`{name}`" not in table] == []
