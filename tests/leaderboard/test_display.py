"""Names and numbers as tables and pages show them."""

from __future__ import annotations

import numpy as np
import pytest

from msbench.leaderboard import display
from msbench.separation.inference import Inference


def test_names_are_cut_and_made_visible() -> None:
    assert display.name("a\u202eb\nc") == "a\\u202eb c"
    assert len(display.name("x" * 500)) == display.LONGEST_NAME
    assert len(display.name("\u202e" * 500)) == display.LONGEST_NAME
    assert display.name("Ångström – naïve 音楽") == "Ångström – naïve 音楽"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), 10**400, True, "1", np.nan])
def test_what_is_no_finite_number_is_a_dash(value: object) -> None:
    assert not display.is_number(value)
    assert display.decimals(value) == display.count(value) == display.MISSING


def test_numbers() -> None:
    assert display.decimals(-1.234) == "-1.23"
    assert display.decimals(np.float32(0.5), 3) == "0.500"
    assert display.count(1_234_567) == "1.23 M"
    assert display.count(np.int64(8_100)) == "8.1 k"
    assert display.count(0) == display.MISSING


def test_texts() -> None:
    assert display.or_dash(None) == display.or_dash("") == display.MISSING
    assert display.or_dash(0) == "0"
    assert display.or_dash("two\nlines") == "two lines"


def test_how_a_model_was_run_is_said_where_it_is_not_the_default() -> None:
    default = Inference()
    assert display.inference_words({"overlap": default.overlap, "dtype": default.precision}) == ""
    assert display.inference_words({"overlap": None, "dtype": "float32"}) == ""  # of a song as a whole
    assert display.inference_words({"overlap": 0.5, "dtype": "bf16"}) == "overlap 0.5, bf16"
