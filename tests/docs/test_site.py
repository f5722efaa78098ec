"""The documentation as a site: built strictly, whole, at home, and usable by everyone; and what its hooks take in."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from msbench import registry
from msbench.metrics import catalogue
from msbench.public import PUBLIC
from tests.leaderboard.site.pages import Site, accessibility_faults, serving
from tests.requirements import require

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
LOOKED_AT = ("index", "your-model", "numbers")  # prose, code, equations: axe takes a second for each


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    def pages(entries: Any) -> Iterator[str]:
        for entry in entries:
            for value in entry.values():
                yield from [value] if isinstance(value, str) else pages(value)

    assert sorted(pages(nav)) == [f"{page}.md" for page in PAGES]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "building" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_of_documents_lead_to_the_pages_that_take_them_in(hooks: ModuleType) -> None:
    text = hooks.taken_in("slurm/README.md", None)
    assert "`slurm/clusters/example.yaml`" in text
    assert "](clusters/" not in text
    assert text.startswith("Install msbench where")  # less the title
    assert "](architecture.md)" in hooks.taken_in("README.md", "More")
    assert "](questions.md)" in hooks.taken_in("README.md", "More")


def test_links_out_of_docs_lead_to_pages_too(hooks: ModuleType) -> None:
    text = hooks.on_page_markdown("[data](../msbench/data/README.md#verify) and [a test](../tests/test_readme.py)")
    assert text == "[data](datasets.md#verify) and a test (`tests/test_readme.py`)"


def test_a_section_ends_where_the_next_begins(hooks: ModuleType) -> None:
    text = hooks.taken_in("leaderboards/README.md", "How to submit a record")
    assert text.startswith("1. Score your model")
    assert "From a repository" not in text
    assert "other web host" not in text
    with pytest.raises(KeyError, match="no section 'Nowhere'"):
        hooks.taken_in("leaderboards/README.md", "Nowhere")


def test_what_the_pages_take_in_is_there(hooks: ModuleType) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for path, heading in hooks.TAKEN_IN.findall(page.read_text("utf-8")):
            assert hooks.taken_in(path, heading or None), page
            assert heading or hooks.PAGES[path] == page.name, "say in PAGES of docs/building/hooks.py which page it is"


def test_tables_hold_all_that_is_registered(hooks: ModuleType) -> None:
    for kind in registry.KINDS:
        table = hooks.on_page_markdown(f"<!-- table {kind} -->")
        ours = [name for name, entry in registry.entries(kind).items() if entry.module.startswith("msbench")]
        assert all(f"| `{name}` | " in table for name in ours), kind
    table = hooks.on_page_markdown("<!-- table metrics -->")
    assert all(f"| `{name}` | " in table for name in catalogue.NAMES)
    assert hooks.on_page_markdown("<!-- table python -->").count("::: ") == len(PUBLIC)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("docs")
    folder = tmp_path_factory.mktemp("docs")
    environment = {**os.environ, "MSBENCH_BOARDS": "boards/index.html", "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder / "site")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attributes}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in ("script", "img", "link", "iframe", "source"):
            self.loaded += [values[key] for key in ("src", "href") if values.get(key)]


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(built: Path) -> None:
    for page in built.glob("*.html"):
        if page.name == "404.html":  # whose addresses begin at the root of a host
            continue
        found = _Addresses()
        found.feed(page.read_text("utf-8"))
        for address in found.loaded:
            assert (page.parent / address.partition("?")[0]).is_file(), (page.name, address)
        for address in found.links:
            place = address.partition("#")[0]
            known = place in ("", ".", "boards/index.html") or place.startswith(("http://", "https://"))
            assert known or (page.parent / place).is_file(), (page.name, address)
        assert "boards/index.html" in found.links


def test_no_placeholder_and_no_raw_equation_is_left(built: Path) -> None:
    for page in built.glob("*.html"):
        text = page.read_text("utf-8")
        assert "<!-- from" not in text, page.name
        assert "<!-- table" not in text, page.name
        assert "\\mathrm" not in text, page.name
    assert "<math" in (built / "numbers.html").read_text("utf-8")
    assert "bss_eval" in (built / "python.html").read_text("utf-8")


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    require("browser")
    with serving(built) as found:
        yield found


@pytest.mark.parametrize(("width", "colors", "pages"), [(375, "dark", PAGES), (1400, "light", LOOKED_AT)])
def test_pages_are_accessible_and_fit_a_phone(
    browser: Any, address: str, width: int, colors: str, pages: list[str]
) -> None:
    site = Site(browser, address, "")
    tab = site.open("404", color_scheme=colors, viewport={"width": width, "height": 900})
    for page in pages:
        tab.goto(f"{address}/{page}.html")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, page
        if page in LOOKED_AT:
            assert accessibility_faults(tab) == [], page
    tab.context.close()
    site.check()
