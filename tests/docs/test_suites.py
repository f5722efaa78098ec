"""The suites that the documents show are read, and their cells have the settings that they give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msbench.cluster.settings import check_settings
from msbench.runs.suite import Suite, read_suite
from tests.test_house import ROOT

PAGES = ("docs/suites.md", "leaderboards/README.md")
SUITES = [
    (page, text)
    for page in PAGES
    for text in re.findall(r"^```yaml\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if "sweep:" in text
]


def read(folder: Path, text: str) -> Suite:
    (folder / "suite.yaml").write_text(text)
    return read_suite(folder)


@pytest.mark.parametrize(("page", "text"), SUITES, ids=[page for page, _ in SUITES])
def test_what_is_shown_can_be_run(tmp_path: Path, page: str, text: str) -> None:
    suite = read(tmp_path, text)
    assert suite.studies
    check_settings(suite.cells)


def test_what_is_said_of_the_first_sweep(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "suites.md").read_text("utf-8")
    suite = read(tmp_path, SUITES[0][1])
    assert len(suite.cells) == 8
    assert "the eight cells `" in text
    assert text.index(f"`{suite.cells[0].label}`, `{suite.cells[1].label}`")
    assert suite.studies[0].baseline == "unet-depth6-skip_true"
    assert suite.studies[0].factors == ("separator.depth", "separator.skip")
