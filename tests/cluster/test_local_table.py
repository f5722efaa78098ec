"""What `msbench bench` prints while cells run."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from msbench.cluster.local_table import LocalTable


def cell(stage: str, **changes: object) -> Any:
    known = {"part_done": 0.0, "metrics": {}, "failure": None, "seconds": 3.0, **changes}
    own = SimpleNamespace(name="wide-demo-s1-01234567", label="wide", seed=1, dataset="demo")
    return SimpleNamespace(cell=own, stage=stage, **known)


def test_a_line_at_each_change_where_there_is_no_terminal() -> None:
    console = Console(file=io.StringIO(), width=60)
    with LocalTable(console, jobs=1) as table:
        for seconds, each in enumerate(
            [
                cell("waiting"),
                cell("starting"),
                cell("training", metrics={"val_loss": 0.12345}),
                cell("training", metrics={"val_loss": 0.1}),
                cell("evaluating", metrics={"voice": 3.14}),
                cell("failed", failure="no luck"),
            ]
        ):
            table.show([each], seconds)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "[   2.0 s] wide: training val_loss 0.1235",
        "[   4.0 s] wide: evaluating SDR voice 3.1",
        "[   5.0 s] wide: failed no luck",
    ]


def test_a_table_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with LocalTable(console, jobs=2) as table:
        table.show([cell("training", part_done=0.5), cell("waiting", seconds=None)], 7.0)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "wide, seed 1 on demo" in text
    assert "7 s, 2 at a time" in text
