"""What tests of several folders share: the browser, and one thread for small networks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.requirements import require


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    require("browser")
    from playwright.sync_api import sync_playwright

    path = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])  # as root it needs that
        yield running
        running.close()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small networks are slower on several threads, above all where other processes use them too."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
