"""What a board reads are regular files inside it; one that is not is named, and the others are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.leaderboard import files
from msbench.leaderboard.board import Board
from msbench.system.files import write_json
from tests.leaderboard.boards import record


@pytest.fixture
def board(tmp_path: Path) -> Path:
    write_json(tmp_path / "board" / "records" / "one.json", record("one"))
    write_json(tmp_path / "outside.json", record("two"))
    return tmp_path / "board"


def test_links_pipes_and_devices_are_no_records(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (board / "records" / "link.json").symlink_to(board.parent / "outside.json")
    os.mkfifo(board / "records" / "pipe.json")
    (board / "records" / "zero.json").symlink_to("/dev/zero")
    (board / "records" / "folder.json").mkdir()
    (board / "records" / "gone.json").symlink_to("nowhere.json")
    (board / "records" / "._one.json").write_bytes(b"\0")
    found, faults = files.read_records(board)
    assert [path.name for path in found] == ["one.json"]
    assert sorted(path.name for path in faults) == ["folder.json", "gone.json", "link.json", "pipe.json", "zero.json"]
    assert "leads out of" in faults[board / "records" / "link.json"]
    assert "no regular file" in faults[board / "records" / "pipe.json"]
    with pytest.warns(files.FileWarning):
        assert Board(board).table()["model"].tolist() == ["one"]
    assert main(["board", "check", str(board)]) == 1
    said = capsys.readouterr().err
    for name in ("folder", "gone", "link", "pipe", "zero"):
        assert f"{name}.json" in said


@pytest.mark.parametrize("name", ["reported.yaml", "reported/x.json", "suite.yaml"])
def test_other_files_that_lead_out_are_refused(board: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = board / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(board.parent / "outside.json")
    assert main(["board", "build", str(board)]) == (0 if name == "suite.yaml" else 2)
    said = capsys.readouterr().err
    assert f"{name} leads out of" in said


def test_a_link_inside_the_board_is_read(board: Path) -> None:
    (board / "records" / "one.json").rename(board / "kept.json")
    (board / "records" / "one.json").symlink_to("../kept.json")
    assert Board(board).faults == []


def test_of_twins_the_first_file_is_kept(board: Path) -> None:
    write_json(board / "records" / "two.json", record("one"))
    with pytest.warns(files.FileWarning, match=r"two\.json, line 5: of the same model, dataset and seed as one\.json"):
        assert len(Board(board).records) == 1
