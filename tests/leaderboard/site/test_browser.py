"""The pages of a board in a real browser: charts, sound, colors, accessibility, and what enemies write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msbench.leaderboard.board import Board
from msbench.leaderboard.site.build import build_site
from msbench.system.files import write_json
from tests.leaderboard.boards import record, write_hostile_board
from tests.leaderboard.site.pages import Site, accessibility_faults, column, wait_for

PAGES = ("index", "compare", "tracks", "cost", "methods", "health", "card")


@pytest.fixture
def infinite(browser: Any, tmp_path: Path) -> Iterator[Site]:
    """One system of which only rounding noise is left, one as others; they hold SDR alone."""
    for name, level in (("perfect", 178.2), ("usual", 6.25)):
        made = record(name)
        for targets in made["scores"].values():
            for target in targets:
                targets[target] = {"SDR": level, "SIR": None, "SAR": None, "ISR": None, "reason": "one target"}
        write_json(tmp_path / "records" / f"{name}.json", made)
    build_site(Board(tmp_path))
    found = Site(browser, (tmp_path / "site").as_uri(), "")
    yield found
    found.check()
    for context in browser.contexts:
        context.close()


def test_scores_that_no_row_has_are_not_offered(infinite: Site) -> None:
    tab = infinite.open("index")
    assert tab.locator("#score").count() == 0
    tab.locator("#view").select_option(label="voice")
    assert tab.url.endswith("#target=voice")
    assert column(tab, "voice") == ["∞", "6.25"]


@pytest.mark.parametrize(
    ("page", "table", "shown"),
    [
        ("tracks", "#track-scores", ["∞", "6.25"]),
        ("cost", "#cost-table", ["∞", "∞ to ∞", "6.25", "6.25 to 6.25"]),
        ("compare", "#one", ["∞", "∞ to ∞"]),
    ],
)
def test_noise_is_infinite_on_every_page(infinite: Site, page: str, table: str, shown: list[str]) -> None:
    tab = infinite.open(page)
    cells = tab.locator(f"{table} tbody td")
    cells.first.wait_for()
    texts = cells.all_inner_texts()
    assert [text for text in texts if text in shown] == shown
    why = {cell.get_attribute("title") for cell in cells.all() if "∞" in cell.inner_text()}
    assert why == {"∞: 100 dB and above, where a score is rounding noise"}
    drawing = tab.locator(f"{ {'tracks': '#map', 'cost': '#scatter', 'compare': '#matrix'}[page] } svg")
    drawing.scroll_into_view_if_needed()
    marks = drawing.locator("[data-mark=cell] rect, [data-mark=dot] path, [data-mark=dot] circle").all()
    tips = []
    for mark in marks:
        mark.hover(force=True)
        tips.append(drawing.text_content())
    assert any("∞: 100 dB and above" in tip for tip in tips), tips
    assert not any("178.2" in tip for tip in tips), tips
    if page == "compare":
        tab.locator("#model").select_option(label="usual")
        assert "−∞" in tab.locator(table).inner_text()


def test_a_click_on_a_track_plays_its_sources_in_sync(site: Site) -> None:
    tab = site.open("tracks")
    tab.locator("#track").select_option(label="song 1")
    assert "No excerpt" in tab.locator("#player").inner_text()
    chart = tab.locator("#map svg")
    chart.scroll_into_view_if_needed()
    rows = chart.locator("g[data-mark='y-axis tick label'] text")
    names = rows.all_text_contents()
    box = rows.nth(names.index("song 0")).bounding_box()
    cell = chart.locator("g[data-mark='cell'] rect").first.bounding_box()
    tab.mouse.click(cell["x"] + 5, box["y"] + box["height"] / 2)
    assert tab.locator("#track-name").inner_text() == "song 0"
    heard = tab.locator("#player input[type=radio]")
    assert heard.count() == 5  # the mixture, the reference, three estimates
    assert tab.locator("#player img").evaluate_all("images => images.every(i => i.complete && i.naturalWidth > 0)")
    tab.get_by_role("button", name="Play").click()
    wait_for(tab, "document.getElementById('player').player.seconds > 0.2")
    state = tab.evaluate(
        "(() => { const p = document.getElementById('player').player; return [p.playing, p.buffers]; })()"
    )
    assert state[0]
    assert len(state[1]) == 5
    assert max(state[1]) - min(state[1]) < 1e-6
    assert 1.9 < state[1][0] < 2.2  # seconds of the test's songs
    heard.nth(0).focus()
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("document.getElementById('player').player.heard") == 1
    assert tab.evaluate("document.getElementById('player').player.playing")
    tab.get_by_role("button", name="Pause").click()
    stopped = tab.evaluate("document.getElementById('player').player.seconds")
    tab.wait_for_timeout(150)
    assert tab.evaluate("document.getElementById('player').player.seconds") == stopped


def test_tracks_are_reached_by_keyboard(site: Site) -> None:
    tab = site.open("tracks")
    tab.wait_for_selector("#map svg")
    before = tab.locator("#track-name").inner_text()
    for name in ("Next track", "Previous track"):
        tab.get_by_role("button", name=name).focus()
        tab.keyboard.press("Enter")
        if tab.locator("#track-name").inner_text() != before:
            break
    assert {before, tab.locator("#track-name").inner_text()} == {"song 0", "song 1"}


def test_pairs_are_told_in_words(site: Site) -> None:
    tab = site.open("compare")
    tab.wait_for_selector("#matrix svg")
    assert "of 10 pairs are distinguished" in tab.locator("#verdict").inner_text()
    groups = tab.locator("#group option").all_inner_texts()  # floors and ceilings are in none
    assert groups == ["unverified, standard training data"]
    assert "2 systems over 2 tracks" in tab.locator("#gate").inner_text()
    names = tab.locator("#cd svg").evaluate("svg => svg.textContent")
    assert "net_small" in names
    assert "oracle_irm" not in names
    tab.locator("#model").select_option(label="net_small")
    rows = tab.locator("#one tbody tr").all_inner_texts()
    assert len(rows) == 4
    assert all("not distinguished" in row for row in rows)  # two tracks cannot tell any two apart
    assert "equal" not in tab.locator("main").inner_text()
    tab.locator("#target").select_option(label="voice")
    wait_for(tab, "document.querySelector('#one caption').textContent.startsWith('net_small')")


def test_quality_is_drawn_against_each_cost(site: Site) -> None:
    tab = site.open("cost")
    tab.wait_for_selector("#scatter svg")
    tab.locator("#axis").select_option(label="parameters")
    assert tab.locator("#cost-table tbody th").all_inner_texts() == ["net_small", "net_large"]
    tab.locator("#cost-table a").first.click()
    assert tab.locator("h1").inner_text() == "net_small"


def test_the_theme_is_kept_from_page_to_page(site: Site) -> None:
    tab = site.open("index", color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(paper)
    tab.get_by_role("button", name="Change to dark colors").click()
    dark = tab.evaluate(paper)
    assert light != dark
    tab.get_by_role("link", name="Methods", exact=True).click()
    tab.wait_for_selector("h1:has-text('Methods')")
    assert tab.evaluate(paper) == dark
    assert site.open("index", color_scheme="dark").evaluate(paper) == dark


@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_pages_are_accessible_and_fit_a_phone(browser: Any, board: Path, address: str, page: str, colors: str) -> None:
    card = sorted(path.stem for path in (board / "site").glob("model-*.html"))[0]
    site = Site(browser, address, card)
    for width in (375, 1280):
        tab = site.open(page, color_scheme=colors, viewport={"width": width, "height": 800})
        tab.wait_for_load_state("networkidle")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        if page == "index":
            choice, label = ("#score", "SAR") if width == 375 else ("#view", "voice")
            tab.locator(choice).select_option(label=label)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert accessibility_faults(tab) == []
        tab.context.close()
    site.check()


def test_hostile_records_stay_text(browser: Any, board: Path, tmp_path: Path) -> None:
    record = json.loads((board / "records" / "mixture.json").read_text())
    folder = write_hostile_board(tmp_path / "board", record)
    build_site(Board(folder))
    pages = folder / "site"
    site = Site(browser, pages.as_uri(), "")
    for page in ("index", "compare", "tracks", "cost", "methods", "health", *(p.stem for p in pages.glob("model-*"))):
        tab = site.open(page)
        tab.wait_for_load_state("networkidle")
        if page == "tracks":
            tab.wait_for_selector("#map svg")
            tab.locator("#map svg").hover(position={"x": 250, "y": 170})
        assert tab.evaluate("window.hacked") is None
        assert tab.locator("main script, main img[onerror], iframe").count() == 0
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
        tab.context.close()
    site.check()
