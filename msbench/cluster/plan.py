"""The plan of a suite: what is to be done, in arrays of jobs alike. Every executor carries out the same plan."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from msbench.runs.resources import Resources
from msbench.runs.state import is_trained
from msbench.runs.suite import Cell, Suite

Stage = Literal["train", "evaluate"]


@dataclass(frozen=True)
class JobArray:
    """One stage of several cells that need the same of a machine: element i does the cell at place i.

    Args:
        name: "train-1", "evaluate-1", ...: one within the plan.
        after: The train array whose element i must end well before element i of this one starts; None where nothing
            is waited for.
    """

    name: str
    stage: Stage
    resources: Resources
    cells: tuple[Cell, ...]
    after: str | None = None


@dataclass(frozen=True)
class Plan:
    """Arrays in an order in which none comes before the one it waits for. The board is built after all of them."""

    suite: Suite
    arrays: tuple[JobArray, ...]

    @property
    def cells(self) -> list[Cell]:
        """The cells that are to be done."""
        return [cell for array in self.arrays if array.stage == "evaluate" for cell in array.cells]


def missing_cells(suite: Suite) -> list[Cell]:
    """The cells that have no record yet, or one that lacks what the suite asks for now.

    Records are renamed into place whole, so one that is there is whole: it is read only where more can be lacking.
    """
    present = _names(suite.folder / "records")
    return [cell for cell in suite.cells if f"{cell.name}.json" not in present or _lacks(suite, cell)]


def _lacks(suite: Suite, cell: Cell) -> bool:
    return bool(cell.scenario or cell.pooled) and not suite.has_record(cell)


def make_plan(
    suite: Suite,
    cells: Iterable[Cell] | None = None,
    train: Resources = Resources(),
    evaluate: Resources = Resources(),
    longest: int | None = None,
) -> Plan:
    """Plan what is missing of a suite: train arrays, one per resource shape, and an evaluation array after each.

    Args:
        suite: The suite.
        cells: Those to do (all that have no record).
        train: What a training needs where the suite does not say it.
        evaluate: What separating and scoring a cell needs.
        longest: The most elements that an array may have; longer ones are split.

    Raises:
        ValueError: If the suite's `resources` cannot be.
    """
    if longest is not None and longest < 1:
        raise ValueError(f"an array has at least one element, not {longest}")
    to_train: dict[Resources, list[Cell]] = defaultdict(list)
    trained: list[Cell] = []
    started = _names(suite.folder / "runs")
    shape_of = cache(lambda changes: train.but(dict(changes)))  # thousands of cells have a few shapes
    for cell in missing_cells(suite) if cells is None else cells:
        if cell.recipe is None or (cell.name in started and is_trained(suite.run_folder(cell))):
            trained.append(cell)
        else:
            to_train[shape_of(tuple(cell.resources.items()))].append(cell)
    training: list[JobArray] = []
    evaluation: list[JobArray] = []
    for shape, group in to_train.items():
        for part in _split(group, longest):
            training.append(JobArray(f"train-{len(training) + 1}", "train", shape, part))
            name = f"evaluate-{len(evaluation) + 1}"
            evaluation.append(JobArray(name, "evaluate", evaluate, part, after=training[-1].name))
    for part in _split(trained, longest):
        evaluation.append(JobArray(f"evaluate-{len(evaluation) + 1}", "evaluate", evaluate, part))
    return Plan(suite, (*training, *evaluation))


def _split(cells: list[Cell], longest: int | None) -> list[tuple[Cell, ...]]:
    size = longest or len(cells) or 1
    return [tuple(cells[start : start + size]) for start in range(0, len(cells), size)]


def _names(folder: os.PathLike[str]) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()
