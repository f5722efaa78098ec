"""What is flagged for the reviewer of a pull request that brings records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.leaderboard.review import review
from msbench.system.files import write_json
from tests.leaderboard.boards import altered, record


@pytest.fixture
def boards(tmp_path: Path) -> tuple[Path, Path]:
    """A board with a system and a floor, and a copy of it to be changed."""
    before, after = tmp_path / "before", tmp_path / "after"
    write_json(before / "records" / "one.json", record("one"))
    floor = altered(record("mixture"), "mixture", -5.0, 1)
    floor["model"]["role"] = "floor"
    write_json(before / "records" / "floor.json", floor)
    shutil.copytree(before, after)
    return before, after


def test_a_new_system_alone_is_nothing_to_flag(boards: tuple[Path, Path]) -> None:
    before, after = boards
    assert review(after, before) == []
    write_json(after / "records" / "two.json", record("two"))
    assert review(after, before) == []


def test_what_is_flagged(boards: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    before, after = boards
    write_json(after / "records" / "sneaked.json", {**record("one"), "seed": 7})
    floor = json.loads((after / "records" / "floor.json").read_text())
    floor["model"]["label"] = "other floor"
    for targets in floor["scores"].values():
        for scores in targets.values():
            scores["SDR"] = 4.0
    write_json(after / "records" / "raised.json", floor)
    (after / "records" / "one.json").write_text((after / "records" / "one.json").read_text() + "\n")
    assert main(["board", "review", str(after), "--against", str(before)]) == 0
    said = capsys.readouterr().out
    for part in (
        "one.json is changed",
        "sneaked.json is one more record of 'one', of which there is one.json",
        "raised.json is of a floor, 'other floor'",
        "the floor of voice on folder/test",
        "to 4.00 dB, and all gains with it",
    ):
        assert part in said
    assert all(line.startswith("review: ") for line in said.splitlines())


def test_records_that_are_gone_and_a_board_that_is_new(boards: tuple[Path, Path], tmp_path: Path) -> None:
    before, after = boards
    (after / "records" / "one.json").unlink()
    assert review(after, before) == ["one.json is gone"]
    assert review(after, tmp_path / "nothing") == ["floor.json is of a floor, 'mixture'"]
