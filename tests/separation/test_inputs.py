"""What is found to separate: each file once, and what folders do not hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from msbench.separation.inputs import Inputs


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(*names: str) -> list[Path]:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return [Path(name) for name in names]


def test_files_and_those_of_folders_each_once(tmp_path: Path) -> None:
    write("in/cd/a.wav", "in/cd/notes.txt", "in/stems/a/voice.wav", "b.flac")
    found = Inputs.of([Path("in"), Path("in/cd/a.wav"), Path("b.flac"), tmp_path / "b.flac"], Path("in/stems"))
    assert found.places == {tmp_path / "in/cd/a.wav": Path("cd/a.wav"), tmp_path / "b.flac": Path("b.flac")}
    assert [*found.given.values()] == [Path("in/cd/a.wav"), Path("b.flac")]
    assert found.failures == []


def test_a_file_that_is_not_there_is_for_its_separation_to_say(tmp_path: Path) -> None:
    found = Inputs.of([Path("a.wav")], Path("out"))
    assert found.given == {tmp_path / "a.wav": Path("a.wav")}
    assert found.failures == []


def test_folders_without_songs_are_failures() -> None:
    Path("empty").mkdir()
    found = Inputs.of([*write("01.wav"), Path("empty")], Path("out"))
    assert [*found.given.values()] == [Path("01.wav")]
    assert [each.path for each in found.failures] == [Path("empty")]
    assert str(found.failures[0].error) == "empty holds no audio file: name the folder of the songs"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed() -> None:
    (closed,) = write("in/closed/b.wav")
    closed.parent.chmod(0)
    try:
        (failure,) = Inputs.of([Path("in")], Path("out")).failures
        assert "cannot list the folder in/closed (Permission denied)" in str(failure.error)
    finally:
        closed.parent.chmod(0o700)
