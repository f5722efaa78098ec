"""What a constructor takes, through the keywords that it passes on."""

from __future__ import annotations

from typing import Any

import pytest

from msbench.model.checkpoints import create
from msbench.model.constructor import parameters_of


class Base:
    def __init__(self, size: int, *, color: str = "red", shade: float = 0.5) -> None: ...


class Open(Base):
    def __init__(self, length: float, color: str = "blue", **rest: Any) -> None: ...


class Same(Open):
    """Has the constructor of its base."""


class Anything:
    def __init__(self, **rest: Any) -> None: ...


def test_keywords_are_the_keyword_only_ones_of_the_base() -> None:
    for plugin in (Open, Same):
        known = parameters_of(plugin)
        assert known.keys() == {"length", "color", "shade"}
        assert known["color"].default == "blue"  # the nearest counts
    assert list(parameters_of(Base)) == ["size", "color", "shade"]


def test_keywords_that_no_base_names_may_be_any() -> None:
    assert list(parameters_of(Anything)) == ["rest"]
    assert "rest" in parameters_of(lambda **rest: rest)


def test_an_option_that_no_base_has_is_named() -> None:
    with pytest.raises(ValueError, match=r"model 'unet' has no option 'phases': it takes phase, .* targets, "):
        create("unet", {"phases": "wiener"})
