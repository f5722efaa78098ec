from __future__ import annotations

import pytest

from msbench.system.wording import choices, counted, did_you_mean, quantity


def test_near_names_are_offered_and_far_ones_are_not() -> None:
    assert did_you_mean("unett", ["demucs", "unet", "unet"]) == "Did you mean unet? "
    assert did_you_mean("sed", ["seed", "seeds"]) == "Did you mean seed or seeds? "
    assert did_you_mean("New Son", ["New Song"]) == "Did you mean 'New Song'? "
    assert did_you_mean("zzz", ["demucs", "unet"]) == ""


def test_an_unknown_name_is_told_all_known_ones() -> None:
    assert choices("unett", iter(["demucs", "unet"])) == "Did you mean unet? Available: demucs, unet."
    assert choices("zzz", []) == "Available: none."
    many = [f"unet{i}" for i in range(50)]
    assert choices("unet50", many).endswith("? There are 50 in all.")
    assert choices("zzz", many).startswith("Available: unet0, unet1, ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (20, "0.0 k"),
        (1234, "1.2 k"),
        (99_999, "100.0 k"),
        (123_456, "0.12 M"),
        (1_234_567, "1.23 M"),
        (2.5e9, "2.50 G"),
    ],
)
def test_quantities(value: float, text: str) -> None:
    assert quantity(value) == text


def test_counts_of_things() -> None:
    assert [counted(count, "cell") for count in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]
