"""What tests of pages share: a site in a browser, and what its table shows."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


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


def wait_for(tab: Any, expression: str) -> None:
    """Until a JavaScript expression holds; Playwright's own way needs eval in the page, which its policy forbids."""
    for _ in range(100):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"not within 5 s: {expression}")


def models(tab: Any) -> list[str]:
    return [row.inner_text().strip() for row in tab.locator("#board tbody tr:visible th").all()]


def heads(tab: Any) -> list[str]:
    return [head.inner_text().strip() for head in tab.locator("#board thead th:visible").all()]


def column(tab: Any, label: str) -> list[str]:
    place = heads(tab).index(label)
    rows = tab.locator("#board tbody tr:visible").all()
    return [row.locator("td:visible, th:visible").nth(place).inner_text().strip() for row in rows]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a folder's files while it is served."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def accessibility_faults(tab: Any) -> list[Any]:
    """What axe finds: of each rule that is broken, its name and two places."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(tab).response["violations"]
    return [(each["id"], [node["html"][:120] for node in each["nodes"][:2]]) for each in violations]
