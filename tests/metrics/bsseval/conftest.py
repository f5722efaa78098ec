"""A fast backend that must do it all by itself."""

from __future__ import annotations

import pytest

from msbench.metrics.bsseval import museval as own


@pytest.fixture
def no_handing_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast backend may not fall back on museval."""

    def refuse() -> None:
        pytest.fail("handed over to museval")

    monkeypatch.setattr(own, "museval_metrics", refuse)
