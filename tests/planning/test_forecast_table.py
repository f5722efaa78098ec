"""`msbench plan` as it is called: rows by study, what is unknown said so, and all of it as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.planning.forecast import CellForecast
from msbench.planning.forecast_table import MOST_ROWS, table
from msbench.runs.suite import Cell

SUITE = """
datasets: [demo]
models:
  - mixture
  - {recipe: unet_small, study: depth, sweep: {separator.depth: [3, 4]}, label: 'd{separator.depth} [bold]'}
"""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path


def test_the_table(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(board)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:3] == [["mixture", "demo", "missing", "-", "-", "-", "unknown"], ["study", "depth"]]
    assert lines[3][:5] == ["d3", "[bold]", "demo", "0", "missing"]
    assert lines[3][-3:] == ["unknown", "900", "unknown"]
    assert ["3", "cells:", "3", "missing"] in lines
    assert ["hours:", "unknown"] in lines


def test_all_of_it_as_json(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(board), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["totals"]["states"] == {"missing": 3}
    cell = found["cells"][1]
    assert (cell["study"], cell["factors"], cell["steps"]) == ("depth", {"separator.depth": 3}, 900)
    assert (cell["hours"], cell["memory_bytes"], cell["sources"]) == (None, None, {"evaluate": "unknown"})


def test_a_suite_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(tmp_path)]) == 2
    assert "no suite file" in capsys.readouterr().err


def test_a_long_table_is_cut() -> None:
    cells = [CellForecast(Cell(str(i), "m", "d", 0, "0" * 8), "missing") for i in range(MOST_ROWS + 1)]
    shown, first, *_ = table(cells).renderables
    assert shown.row_count == MOST_ROWS  # type: ignore[union-attr]
    assert str(first) == "the first 200 are shown; --json has all"
