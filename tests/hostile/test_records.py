"""500 mutated records, many on a board: none ends a command as a bug, hides the others, or goes unnamed."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from msbench.leaderboard.board import Board
from msbench.leaderboard.check import check
from msbench.leaderboard.files import FileWarning
from msbench.leaderboard.publish import publish
from msbench.system.files import write_json
from tests.hostile.mutations import mutate
from tests.leaderboard.boards import record

COUNT, BOARDS, SEED = 500, 2, 15


@pytest.mark.parametrize("board", range(BOARDS))
def test_mutated_records(board: int, tmp_path: Path) -> None:
    rng = random.Random(SEED + board)
    write_json(tmp_path / "records" / "good.json", record("good"))
    for number in range(COUNT // BOARDS):
        made = record(f"model {number}")
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            mutate(made, rng)
        (tmp_path / "records" / f"r{number}.json").write_text(json.dumps(made))
    started = time.monotonic()
    with pytest.warns(FileWarning):
        read = Board(tmp_path)
    table = read.table()
    assert "good" in set(table["model"])
    assert len(read.records) + len(read.faults) == COUNT // BOARDS + 1
    assert len(read.faults) > 50
    assert len(read.records) > 20
    for path, fault in read._faults.items():
        assert path.name in fault
        assert len(fault) < 2000
    said = check(tmp_path)
    assert said
    assert set(said) <= set(read.faults)
    assert time.monotonic() - started < 60


def test_a_few_mutated_records_have_pages(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    write_json(tmp_path / "records" / "good.json", record("good"))
    for number in range(25):
        made = record(f"model {number}")
        mutate(made, rng)
        (tmp_path / "records" / f"r{number}.json").write_text(json.dumps(made))
    with pytest.warns(FileWarning):
        publish(Board(tmp_path))
    assert (tmp_path / "site" / "index.html").is_file()
    assert "good" in (tmp_path / "board.md").read_text()
