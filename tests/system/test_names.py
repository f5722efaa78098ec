"""Names from anywhere become single path components, or are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.system.names import LONGEST_FILE, inside, plain_name, plain_path

HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "../x",
    "/x",
    "a/b",
    "a\\b",
    "a\nb",
    "a\0b",
    "\x1b[31m",
    "x" * 181,
    "ü" * 91,
    ".hidden",
    7,
    None,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_refused(name: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^track .* (is|holds|begins).*: give it another name$"):
        plain_name(name, "track")
    if isinstance(name, str) and len(name) < 90:
        with pytest.raises(ValueError, match="name "):
            inside(tmp_path, "fine", name)


@pytest.mark.parametrize("name", ["vocals", "Al James - Schoolboy Facination", "_Intro", "Café 100% [live]", "x" * 180])
def test_kept_as_it_is(name: str, tmp_path: Path) -> None:
    assert plain_name(name, "track") == name
    assert inside(tmp_path, "test", name) == tmp_path / "test" / name


def test_names_that_lie_in_a_folder_already_may_be_longer(tmp_path: Path) -> None:
    assert plain_name("x" * 240, "track", LONGEST_FILE) == inside(tmp_path, "x" * 240).name
    with pytest.raises(ValueError, match=r"^name 'x+...x+' is longer than 240 bytes"):
        inside(tmp_path, "x" * 241)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "test").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="leads out of"):
        inside(tmp_path / "out", "test", "song")


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "x" * 256, "a/" + "é" * 128, "a/" * 2100])
def test_what_no_system_takes_for_a_path(text: str) -> None:
    assert plain_path("../songs/a b.wav", "the path") == "../songs/a b.wav"
    with pytest.raises(ValueError, match=r"^the path '.*' (holds a control character|is longer than a path can be)"):
        plain_path(text, "the path")
