"""A board's pages in a real browser, from a server and from the file system."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msbench.leaderboard.board import Board
from msbench.leaderboard.site.build import build_site
from msbench.leaderboard.site.serve import HOST, server
from tests.leaderboard.boards import write_sounding_board
from tests.leaderboard.site.pages import Site
from tests.requirements import require


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("browser")
    folder = write_sounding_board(tmp_path_factory.mktemp("sounding") / "board")
    build_site(Board(folder))
    return folder


@pytest.fixture(scope="session")
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
