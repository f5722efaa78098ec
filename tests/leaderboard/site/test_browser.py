"""The pages of a board in a real browser, from a server and from the file system."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from msbench.leaderboard.board import Board
from msbench.leaderboard.site.build import build_site
from msbench.leaderboard.site.serve import HOST, server
from msbench.system.files import write_json
from tests.leaderboard.boards import record, write_hostile_board, write_sounding_board
from tests.requirements import require

PAGES = ("index", "compare", "tracks", "cost", "methods", "health", "card")


@dataclass
class Site:
    """A board's pages, and what a browser has to say of them."""

    browser: Any
    base: str
    card: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, page: str, **context: Any) -> Any:
        """A new tab at a page, which must stay silent and at home."""
        tab = self.browser.new_context(**context).new_page()
        tab.set_default_timeout(15_000)
        tab.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.goto(f"{self.base}/{self.card if page == 'card' else page}.html")
        return tab

    def check(self) -> None:
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith((self.base, "data:"))] == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    require("browser")
    from playwright.sync_api import sync_playwright

    path = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])  # as root it needs that
        yield running
        running.close()


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("browser")
    folder = write_sounding_board(tmp_path_factory.mktemp("sounding") / "board")
    build_site(Board(folder))
    return folder


@pytest.fixture(scope="module")
def address(board: Path) -> Iterator[str]:
    with server(board, 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://{HOST}:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(params=["http", "file"])
def site(request: pytest.FixtureRequest, browser: Any, board: Path, address: str) -> Iterator[Site]:
    pages = board / "site"
    card = sorted(path.stem for path in pages.glob("model-*.html"))[0]
    found = Site(browser, address if request.param == "http" else pages.as_uri(), card)
    yield found
    found.check()
    for context in browser.contexts:
        context.close()


def wait_for(tab: Any, expression: str) -> None:
    """Until a JavaScript expression holds; Playwright's own way needs eval in the page, which its policy forbids."""
    for _ in range(100):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"not within 5 s: {expression}")


def models(tab: Any) -> list[str]:
    return [row.inner_text().strip() for row in tab.locator("#board tbody tr:visible th").all()]


def test_the_table_sorts_by_mouse_and_by_keyboard(site: Site) -> None:
    tab = site.open("index")
    first = models(tab)
    assert first[0] == "oracle_irm"
    assert set(first) == {"oracle_irm", "net_small", "net_large", "mixture", "mixture_share"}
    tab.get_by_role("button", name="Parameters").click()
    head = tab.get_by_role("columnheader", name="Parameters")
    assert head.get_attribute("aria-sort") == "ascending"
    assert models(tab)[:2] == ["net_small", "net_large"]
    assert tab.locator("#board tbody tr:visible").last.locator("td").nth(0).inner_text() == ""  # no value, so below
    tab.get_by_role("button", name="Model").focus()
    tab.keyboard.press("Enter")
    assert models(tab) == sorted(first)
    tab.keyboard.press("Space")
    assert models(tab) == sorted(first, reverse=True)
    assert "Sorted by Model, descending" in tab.locator("#shown").inner_text()
    assert head.get_attribute("aria-sort") is None


def test_rows_are_filtered_by_role_and_name(site: Site) -> None:
    tab = site.open("index")
    tab.get_by_label("ceiling").uncheck()
    tab.get_by_label("floor").uncheck()
    assert sorted(models(tab)) == ["net_large", "net_small"]
    tab.locator("#search").fill("LARGE")
    assert models(tab) == ["net_large"]
    assert tab.locator("#shown").inner_text().startswith("1 of 5 rows")
    tab.get_by_role("button", name="Show all rows").click()
    assert len(models(tab)) == 5


def test_one_target_shows_its_intervals_and_groups(site: Site) -> None:
    tab = site.open("index")
    assert tab.get_by_role("columnheader", name="Not distinguished").count() == 0
    tab.locator("#view").select_option(label="voice")
    assert tab.get_by_role("columnheader", name="Not distinguished").count() == 1
    assert tab.get_by_role("columnheader", name="95% interval").count() == 1
    assert tab.get_by_role("columnheader", name="band").count() == 0
    assert " to " in tab.locator("#board tbody tr").first.inner_text()


def heads(tab: Any) -> list[str]:
    return [head.inner_text().strip() for head in tab.locator("#board thead th:visible").all()]


def column(tab: Any, label: str) -> list[str]:
    place = heads(tab).index(label)
    rows = tab.locator("#board tbody tr:visible").all()
    return [row.locator("td:visible, th:visible").nth(place).inner_text().strip() for row in rows]


def test_all_targets_show_the_score_that_is_chosen(site: Site) -> None:
    tab = site.open("index")
    choice = tab.get_by_role("combobox", name="Score")
    assert choice.locator("option").all_inner_texts() == ["SDR", "SIR", "SAR", "ISR"]
    by_rank, first = models(tab), heads(tab)
    ranks = column(tab, "Rank")
    assert "band" in first
    assert tab.locator("#board td[style]:visible").count() == 10  # intervals
    choice.focus()
    tab.keyboard.press("ArrowDown")
    assert [head.removesuffix(" SIR") for head in heads(tab)] == first
    assert "band SIR" in heads(tab)
    assert models(tab) == by_rank  # still by SDR
    assert column(tab, "Rank") == ranks
    caption = tab.locator("#board caption").inner_text()
    assert "each track's median SIR over windows" in caption
    assert "Ranks, places, and groups are still those by SDR" in caption
    assert tab.locator("#shown").inner_text() == "5 of 5 rows. Scores: SIR. Ranked by SDR."
    assert tab.locator("#board td[style]:visible").count() == 0
    choice.select_option(label="SAR")
    shares = dict(zip(models(tab), column(tab, "band SAR"), strict=True))
    assert shares["mixture"] == "∞"
    choice.select_option(label="SDR")
    assert heads(tab) == first
    assert "SDR over windows" in tab.locator("#board caption").inner_text()
    assert "Ranks" not in tab.locator("#board caption").inner_text()


def test_rows_are_sorted_by_the_score_that_is_chosen(site: Site) -> None:
    def numbers(label: str) -> list[float]:
        texts = [text.replace("−", "-").replace("∞", "inf") for text in column(tab, label)]
        return [float(text) for text in texts if text != "–"]

    tab = site.open("index")
    choice = tab.locator("#score")
    choice.select_option(label="ISR")
    tab.get_by_role("button", name="voice ISR").click()
    assert numbers("voice ISR") == sorted(numbers("voice ISR"), reverse=True)
    choice.select_option(label="SIR")  # the order follows
    assert numbers("voice SIR") == sorted(numbers("voice SIR"), reverse=True)
    assert tab.get_by_role("columnheader", name="voice SIR").get_attribute("aria-sort") == "descending"
    assert tab.locator("#board th[aria-sort]").count() == 1
    choice.select_option(label="SDR")
    assert numbers("voice") == sorted(numbers("voice"), reverse=True)


def test_the_address_keeps_the_score_and_the_target(site: Site) -> None:
    tab = site.open("index")
    page = tab.url
    tab.locator("#score").select_option(label="ISR")
    assert tab.url == f"{page}#score=ISR"
    tab.reload()
    assert "band ISR" in heads(tab)
    tab.locator("#view").select_option(label="voice")
    assert tab.url == f"{page}#score=ISR&target=voice"
    assert tab.locator("#score").is_disabled()  # one target shows all its scores, and bars of the first
    assert {"voice", "voice SIR", "voice SAR", "voice ISR", "95% interval"} <= set(heads(tab))
    assert "SDR over windows" in tab.locator("#board caption").inner_text()
    tab.reload()
    assert "Not distinguished" in heads(tab)
    tab.locator("#view").select_option(label="all targets")
    assert "band ISR" in heads(tab)
    tab.evaluate("location.hash = '#score=none'")  # as somebody may type it
    wait_for(tab, "document.getElementById('board').dataset.view === 'all'")
    tab.locator("#score").select_option(label="SIR")
    tab.locator("#score").select_option(label="SDR")
    assert tab.url == page


def test_without_scripts_the_table_shows_what_ranks(site: Site) -> None:
    tab = site.open("index", java_script_enabled=False)
    assert not tab.locator("#filters").is_visible()
    assert "band" in heads(tab)
    assert "band SIR" not in heads(tab)


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
    from axe_playwright_python.sync_playwright import Axe

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
        violations = Axe().run(tab).response["violations"]
        found = [(each["id"], [node["html"][:120] for node in each["nodes"][:2]]) for each in violations]
        assert found == []
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
