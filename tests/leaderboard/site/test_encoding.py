"""What may stand in a page's code."""

from __future__ import annotations

import json

import pytest

from msbench.leaderboard.site import encoding
from tests.leaderboard.boards import HOSTILE


@pytest.mark.parametrize(
    "value", [*HOSTILE.values(), None, 7, "http://", "https:///x", "data:text/html,x", "//host/x", "https://a b"]
)
def test_only_web_addresses_become_links(value: object) -> None:
    assert encoding.link(value) is None


def test_a_web_address_becomes_a_link() -> None:
    assert encoding.link("https://doi.org/10.1/x?y=1#z") == "https://doi.org/10.1/x?y=1#z"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_script_hands_over_what_it_was_given_and_ends_nowhere_else(text: str) -> None:
    made = encoding.script("key", {"label": text})
    assert "<" not in made
    assert json.loads(made.removeprefix('msbench.receive("key",').removesuffix(");\n")) == {"label": text}


def test_identifiers_stand_for_names() -> None:
    assert encoding.identifier("../x") != encoding.identifier("../y")
    assert encoding.identifier("../x").isalnum()


def test_numbers_of_charts() -> None:
    assert encoding.rounded(1.23456) == 1.235
    assert encoding.rounded(float("inf")) is None
