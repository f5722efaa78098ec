"""The container files and GitHub's workflows agree with each other and with the Makefile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def copied() -> list[str]:
    """What the Dockerfile copies: all that msbench is built from."""
    lines = re.findall(r"^COPY (.+) /src/\S*$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return [name for line in lines for name in line.split()]


def test_both_containers_are_built_from_the_same_files() -> None:
    named = re.findall(r"^    (\S+) /src/\1$", (ROOT / "msbench.def").read_text(), re.MULTILINE)
    assert named == copied()
    assert all((ROOT / name).exists() for name in named)


def test_both_containers_install_the_same() -> None:
    texts = [(ROOT / name).read_text() for name in ("Dockerfile", "msbench.def")]
    for pattern in (r"python:[\d.]+-slim", r"'/src\[\w+\]'", r"TORCH='torch<[\d.]+'"):
        assert len({re.search(pattern, text)[0] for text in texts}) == 1  # type: ignore[index]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_jobs_can_write_nothing_by_default(path: Path) -> None:
    text = path.read_text()
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{action}: name a commit, which nobody can move"
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


def test_one_release_of_uv() -> None:
    (wanted,) = re.findall(r"uv==([\d.]+)", (ROOT / "Makefile").read_text())
    found = {version for path in WORKFLOWS for version in re.findall(r'version: "([\d.]+)"', path.read_text())}
    assert found == {wanted}
