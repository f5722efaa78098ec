"""Shows the forecast of a suite: as a table, or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from msbench.planning.forecast import STATES, CellForecast
from msbench.runs.suite import Suite
from msbench.system.errors import one_line
from msbench.system.wording import counted, quantity

STYLES = {"done": "green", "training": "cyan", "evaluating": "cyan", "failed": "red"}
MOST_ROWS = 200
UNKNOWN = "unknown"
NONE = "-"  # where there is nothing to know, as of a model that trains nothing


def as_json(suite: Suite, cells: Sequence[CellForecast]) -> str:
    """Every cell, and the totals; what is unknown is null."""
    rows = [
        {
            "name": each.cell.name,
            "label": each.cell.label,
            "dataset": each.cell.dataset,
            "seed": each.cell.seed,
            "study": each.cell.study,
            "factors": each.cell.factors,
            "state": each.state,
            "part_done": each.part_done,
            "trains": each.trains,
            "parameters": each.parameters,
            "memory_bytes": each.memory_bytes,
            "steps": each.steps,
            "train_hours": each.train_hours,
            "evaluate_hours": each.evaluate_hours,
            "hours": each.hours,
            "hours_left": each.hours_left,
            "sources": each.sources,
        }
        for each in cells
    ]
    return json.dumps({"suite": str(suite.path), "totals": totals(cells), "cells": rows}, indent=1)


def totals(cells: Sequence[CellForecast]) -> dict[str, Any]:
    """Cells, those of each state, the known hours and those of them that are left, and how many cells have none."""
    known = [each for each in cells if each.hours is not None]
    states = Counter(each.state for each in cells)
    return {
        "cells": len(cells),
        "states": {state: states[state] for state in STATES if states[state]},
        "hours": sum(each.hours or 0.0 for each in known),
        "hours_left": sum(each.hours_left or 0.0 for each in known),
        "cells_without_hours": len(cells) - len(known),
        "cells_without_evaluation_hours": sum(each.evaluate_hours is None for each in cells),
    }


def table(cells: Sequence[CellForecast]) -> Group:
    """One row per cell, those of a study together, cut where the suite is long; then the totals and the sources."""
    columns = ("cell", "dataset", "seed", "state", "parameters", "memory", "steps", "hours")
    shown = Table(*columns, box=None, pad_edge=False)
    for column in shown.columns[4:]:
        column.justify = "right"
    study = None
    for each in sorted(cells, key=_study_order(cells))[:MOST_ROWS]:
        if each.cell.study != study:
            study = each.cell.study
            shown.add_row(Text(one_line(f"study {study}" if study else "in no study"), style="bold"))
        shown.add_row(
            Text(one_line(each.cell.label)),  # a label may look like markup
            Text(each.cell.dataset),
            "" if each.cell.seed is None else str(each.cell.seed),
            Text(each.state + _part(each.part_done), style=STYLES.get(each.state, "")),
            _of_training(each, each.parameters, _parameters),
            _of_training(each, each.memory_bytes, lambda bytes: f"{bytes / 2**30:.1f} GiB"),
            _of_training(each, each.steps, str),
            UNKNOWN if each.hours is None else _hours(each.hours),
        )
    return Group(shown, *(Text(one_line(line)) for line in _notes(cells)))


def _study_order(cells: Sequence[CellForecast]) -> Any:
    places = {study: place for place, study in enumerate(dict.fromkeys(each.cell.study for each in cells))}
    return lambda each: places[each.cell.study]


def _part(done: float | None) -> str:
    return "" if done is None else f" {done:.0%}"


def _of_training(each: CellForecast, value: Any, word: Any) -> str:
    if not each.trains:
        return NONE
    return UNKNOWN if value is None else word(value)


def _parameters(count: int) -> str:
    return quantity(count) if count >= 1000 else str(count)


def _hours(hours: float) -> str:
    return f"{hours:.1f}" if hours >= 10 else f"{hours:.2f}" if hours >= 0.1 else f"{hours:.3f}"


def _notes(cells: Sequence[CellForecast]) -> list[str]:
    """The totals, and what the numbers rest on."""
    total = totals(cells)
    lines = [f"the first {MOST_ROWS} are shown; --json has all"] if len(cells) > MOST_ROWS else []
    states = ", ".join(f"{count} {state}" for state, count in total["states"].items())
    lines.append(f"{counted(len(cells), 'cell')}: {states}")
    without = total["cells_without_hours"]
    if without < len(cells):
        done = total["hours"] - total["hours_left"]
        lines.append(f"hours: {_hours(total['hours'])}, of which {_hours(done)} are done")
        for count, of_what in ((without, "time"), (total["cells_without_evaluation_hours"], "time of evaluation")):
            lines += [f"without {counted(count, 'cell')} of unknown {of_what}"] if count else []
    else:
        lines.append(f"hours: {UNKNOWN}")
    for what, key in (("time and memory of training", "train"), ("time of evaluation", "evaluate")):
        said = Counter(each.sources[key] for each in cells if key in each.sources)
        if said:
            common = "; ".join(f"{source} ({counted(count, 'cell')})" for source, count in said.most_common(4))
            lines.append(f"{what}: {common}{'; ...' if len(said) > 4 else ''}")
    if any(each.trains and each.train_hours is None for each in cells):
        lines.append("--measure runs some training steps of each model and batch whose time or memory is unknown")
    return lines
