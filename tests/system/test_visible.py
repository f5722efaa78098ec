"""What a user sees in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.system.visible import all_visible, entries, folders, is_twin, is_visible

CLUTTER = (
    *("@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", ".DS_Store", "lost+found"),
    *("._song.wav", "Thumbs.db", "desktop.ini", ".hidden", "@Recycle", "DESKTOP.INI"),
)


@pytest.mark.parametrize("name", CLUTTER)
def test_clutter_is_passed_over(name: str) -> None:
    assert not is_visible(name)


@pytest.mark.parametrize("name", ["_Intro", "song", "@home", "#1", "Thumbs", "lost", "$", "__x"])
def test_names_of_users_are_seen(name: str) -> None:
    assert is_visible(name)


def test_twins() -> None:
    assert is_twin(".DS_Store")
    assert is_twin("._vocals.wav")
    assert not is_twin(".git")
    assert not is_twin("_x")


def test_entries_of_a_folder(tmp_path: Path) -> None:
    for name in ("_b", "a", *CLUTTER):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    assert entries(tmp_path) == [tmp_path / "_b", tmp_path / "a", tmp_path / "file"]
    assert folders(tmp_path) == [tmp_path / "_b", tmp_path / "a"]
    assert all_visible(tmp_path / "a" / "inner", tmp_path)
    assert not all_visible(tmp_path / "@eaDir" / "inner", tmp_path)
