"""What `msbench status` and `msbench logs` print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from msbench.cluster import status_table
from msbench.cluster.status import CellStatus

BROKEN = CellStatus(
    "broken-demo-s0-01234567", "failed", "train", kind="node", cause="node on n1: gone", node="n1", elements=[(8, 1)]
)
RUNNING = CellStatus(
    "long-demo-s0-01234567",
    "running",
    "train",
    part_done=0.5,
    metrics={"val_loss": float("nan")},
    elements=[(8, 0), (9, 0)],
    restarts=2,
)
DONE = CellStatus("good-demo-s0-01234567", "done", elements=[(8, 2), (9, 2)])


def text_of(statuses: list[CellStatus]) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(status_table.table(statuses))
    return captured.get()


def test_those_that_want_attention_come_first() -> None:
    lines = text_of([DONE, RUNNING, BROKEN]).splitlines()
    assert [line.split()[0] for line in lines] == ["cell", BROKEN.name, RUNNING.name, DONE.name, "3"]
    assert "8_1" in lines[1]
    assert "node on n1: gone" in lines[1]
    assert "50%" in lines[2]
    assert "restarts: 2" in lines[2]
    assert lines[4].split() == ["3", "cells:", "1", "done,", "1", "running,", "1", "failed"]


def test_a_long_suite_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_table, "MOST_ROWS", 2)
    text = text_of([DONE, DONE, DONE, BROKEN])
    assert text.count(DONE.name) == 1
    assert "4 cells: 3 done, 1 failed (the first 2 are shown; --json has all)" in text


def test_json_is_json_where_a_loss_is_not_a_number() -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    content = json.loads(status_table.as_json([RUNNING, DONE]), parse_constant=refuse)
    assert content["counts"] == {"done": 1, "running": 1}
    assert content["cells"][0]["metrics"] == {"val_loss": None}


def test_watching_ends_when_nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_table, "WATCH_SECONDS", 0)
    looks = iter([[RUNNING, DONE], [CellStatus("a", "pending"), DONE], [BROKEN, DONE], [DONE]])
    assert status_table.watch(lambda: next(looks), Console(width=120, quiet=True)) == [BROKEN, DONE]


def test_the_ends_of_logs(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("one\ntwo\nthree\n")
    status = CellStatus("a", "failed", cause="no luck", logs=[str(tmp_path / "a.log"), str(tmp_path / "none.log")])
    assert status_table.log(status, 2) == f"a: failed: no luck\n{tmp_path}/a.log\ntwo\nthree"
    assert status_table.log(CellStatus("b"), 2) == "b: waiting\n(no log yet)"
