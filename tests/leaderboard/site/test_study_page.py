"""The page of a study in a real browser: its figures and tables, colors, a phone's width, and what enemies write."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msbench.cli.app import main
from msbench.leaderboard.board import Board
from msbench.leaderboard.publish import publish
from msbench.leaderboard.site.build import build_site
from msbench.leaderboard.site.home import publish_boards
from msbench.leaderboard.site.study_page import study_file
from tests.leaderboard.boards import MARKUP
from tests.leaderboard.site.pages import Site, accessibility_faults, serving, wait_for
from tests.leaderboard.studies import SUITE, write_curve, write_study_board
from tests.leaderboard.test_study import FAILED, HOSTILE, REPORTED

PAGE = study_file("depth").removesuffix(".html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_study_board(tmp_path_factory.mktemp("study") / "made", without=(FAILED,))
    (made / "reported.yaml").write_text(REPORTED)
    suite = Board(made).suite
    assert suite is not None
    for number, cell in enumerate(suite.cells):
        if cell.seed is not None:
            write_curve(suite.run_folder(cell), [1.0 / (step + 1) + 0.1 * number for step in range(20)])
    publish(Board(made))
    return made


@pytest.fixture
def study(browser: Any, folder: Path) -> Iterator[Site]:
    with serving(folder / "site") as address:
        found = Site(browser, address, "")
        yield found
        found.check()
        for context in browser.contexts:
            context.close()


def rows(tab: Any, table: str) -> list[list[str]]:
    tab.locator(f"{table} tbody tr").first.wait_for()
    lines = tab.locator(f"{table} tbody tr").all()
    return [line.locator("th, td").all_inner_texts() for line in lines]


def test_the_page_shows_cells_effects_and_figures(study: Site) -> None:
    tab = study.open("index")
    tab.get_by_role("link", name="depth", exact=True).click()
    tab.locator("#target").select_option(label="voice")
    wait_for(tab, "document.querySelector('#cells caption')?.textContent.startsWith('voice')")
    own = next(row for row in rows(tab, "#cells") if row[0] == "net-depth3-skip_true")
    assert own == [
        *["net-depth3-skip_true", "3", "true", "4.20", "−0.90", "−1.40 to −0.35", "0.039", "▼ worse"],
        *["2", "0.20", "8", "8"],
    ]
    assert "5 worse (5 comparisons corrected together)" in tab.locator("#verdict").inner_text()
    effects = rows(tab, "#effects")
    assert [row[:4] for row in effects] == [
        ["separator.depth", "3", "5", "−0.90"],
        ["separator.depth", "4", "5", "−0.45"],
        ["separator.skip", "false", "true", "−0.50"],
    ]
    figures = tab.locator("#figures h3").all_inner_texts()
    assert figures == ["separator.depth", "separator.skip"]
    dots = tab.locator("#figures svg").first.locator("[data-mark=dot] path, [data-mark=dot] circle")
    assert dots.count() == 5 + 2  # cells that have a depth, and two figures of a paper
    assert "reported: Some One, 2020" in tab.locator("#figures").inner_text()
    tab.locator("#score").select_option(label="l1-spectrogram")
    wait_for(tab, "document.querySelector('#cells caption').textContent.endsWith('lower is better')")
    assert rows(tab, "#cells")[0][3] == "0.002"


def test_curves_of_all_cells_are_drawn_and_one_is_picked_out(study: Site) -> None:
    tab = study.open(PAGE)
    lines = tab.locator("#curves svg [data-mark=line] path")
    lines.first.wait_for()
    assert lines.count() == 12  # those of the cell without a record too
    assert "net-depth5-skip_true (baseline, thicker)" in tab.locator("#curves").inner_text()
    tab.locator("#curve").select_option(label="net-depth4-skip_true")
    strokes = "new Set([...document.querySelectorAll('#curves path')].map((p) => p.getAttribute('stroke')))"
    wait_for(tab, f"{strokes}.size < 6")


def test_what_is_missing_and_what_it_cost_stand_below(study: Site) -> None:
    tab = study.open(PAGE)
    assert f"{FAILED}-folder-s0" in tab.locator("main").inner_text()
    cost = next(row for row in tab.locator("tbody tr").all_inner_texts() if "folder/test" in row)
    assert "0.50" in cost  # two seeds of a quarter of an hour
    for name in ("study-depth.md", "study-depth.csv", "study-depth.tex", "study-depth.png"):
        assert tab.get_by_role("link", name=name).count() == 1


@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_is_accessible_and_fits_a_phone(study: Site, colors: str, width: int) -> None:
    tab = study.open(PAGE, color_scheme=colors, viewport={"width": width, "height": 800})
    tab.locator("#curves svg").wait_for()
    tab.locator("#figures svg").first.wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert accessibility_faults(tab) == []


def test_the_page_follows_from_what_is_committed(folder: Path, tmp_path: Path) -> None:
    clone = tmp_path / "made"
    shutil.copytree(folder, clone, ignore=shutil.ignore_patterns("runs", "net.yaml"))
    assert main(["board", "check", str(clone)]) == 0
    home, _ = publish_boards([clone], tmp_path / "home")
    assert f"made/{PAGE}.html" in home.read_text()
    assert (tmp_path / "home" / "made" / f"{PAGE}.html").is_file()


def test_hostile_factors_stay_text(browser: Any, tmp_path: Path) -> None:
    suite = copy.deepcopy(SUITE)
    values = {re.sub(r"[/\\]", " ", text)[:60]: number for number, text in enumerate(HOSTILE)}
    name = re.sub("/", " ", MARKUP)[:60]
    suite["models"] = [{"recipe": "net.yaml", "study": name, "sweep": {"data.x": values}}]
    folder = write_study_board(tmp_path / "made", suite, lambda label, _, __, track: len(label) + track)
    build_site(Board(folder))
    site = Site(browser, (folder / "site").as_uri(), "")
    tab = site.open(study_file(name).removesuffix(".html"))
    tab.locator("#cells table").wait_for()
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("main script, main img[onerror]").count() == 0
    assert "<script>window.hacked=1" in tab.locator("#cells").inner_text()
    site.check()
    tab.context.close()
    for path in (folder / "site").rglob("*"):
        assert re.fullmatch(r"[\w.-]{1,60}", path.name), path
