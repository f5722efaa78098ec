"""The forecast of a suite: for each cell its state, its size, its cost, and who says so. Nothing is changed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from statistics import median
from typing import Any

from msbench.cluster.plan import missing_cells
from msbench.planning import evidence, measuring
from msbench.planning.evidence import Cost, RunFacts
from msbench.planning.parameters import counted_parameters
from msbench.planning.passes import networks_of, passes_of
from msbench.planning.settings import Training, training_of
from msbench.runs.suite import Cell, Suite
from msbench.system.wording import counted

STATES = ("done", "evaluating", "trained", "training", "started", "failed", "missing")
_STATE_OF_STAGE = {"starting": "started", "saved": "started", "done": "missing", "": "missing"}  # the others are words


@dataclass(frozen=True)
class CellForecast:
    """What is known of a cell; None is unknown, and what does not apply.

    Attributes:
        cell: The cell.
        state: One of STATES.
        part_done: Of its training, where that is under way.
        trains: Whether there is a training at all.
        parameters: Of its model.
        memory_bytes: Peak, of its training.
        steps: Of its training: those that it took where it has ended, else those that it takes at most.
        train_hours, evaluate_hours: That it took, or takes.
        sources: Who says so: {"memory", "train", "evaluate": words}.
    """

    cell: Cell
    state: str
    part_done: float | None = None
    trains: bool = False
    parameters: int | None = None
    memory_bytes: int | None = None
    steps: int | None = None
    train_hours: float | None = None
    evaluate_hours: float | None = None
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def hours(self) -> float | None:
        """Of training, where there is one, and of evaluation as far as that is known; None without the first."""
        if self.trains and self.train_hours is None:
            return None
        known = [each for each in (self.train_hours, self.evaluate_hours) if each is not None]
        return sum(known) if known else None

    @property
    def hours_left(self) -> float | None:
        """Those of `hours` that are still to come."""
        if self.hours is None or self.state == "done":
            return None if self.hours is None else 0.0
        trained = 1.0 if self.state in ("trained", "evaluating") else self.part_done or 0.0
        return self.hours - trained * (self.train_hours or 0.0)


def forecast(suite: Suite, measure: bool = False, say: Callable[[str], None] = lambda text: None) -> list[CellForecast]:
    """The forecast of each cell, in the suite's order.

    Args:
        suite: The suite.
        measure: Measure a training step of each model and batch that nothing has told yet, and keep that.
        say: Is told what is measured, and why something could not be.
    """
    gathered = _Gathered(suite)
    if measure:
        _measure(gathered, say)
    return gathered.forecasts()


def _measure(gathered: _Gathered, say: Callable[[str], None]) -> None:
    open_shapes: dict[str, Cell] = {}
    for place, training in gathered.trainings.items():
        if training is not None and gathered.cost(training) is None:
            open_shapes.setdefault(training.shape, gathered.suite.cells[place])
    for number, (shape, cell) in enumerate(open_shapes.items(), 1):
        say(f"measuring {number} of {len(open_shapes)}: {cell.label}")
        found = measuring.measure(gathered.suite, cell)
        if "error" in found:
            say(f"{cell.label} is not measured: {found['error']}")
            continue
        measuring.keep(gathered.suite, shape, found)
        gathered.measured[shape] = found


class _Gathered:
    """What is known of a suite, looked up once for all of its cells, which are told by their place in it."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        runs = suite.folder / "runs"
        started = set(os.listdir(runs)) if runs.is_dir() else set()
        self.missing = {cell.name for cell in missing_cells(suite)}
        self.facts = {cell.name: evidence.facts_of(runs / cell.name) for cell in suite.cells if cell.name in started}
        self.trainings = {place: training_of(cell) for place, cell in enumerate(suite.cells)}
        self.measured = evidence.measured_in(suite)
        self._costs: dict[str, Cost | None] = {}
        self._networks = cache(networks_of)
        self._others: dict[tuple[str, float], tuple[float | None, str]] = {}
        self._alike: dict[str, list[tuple[str, RunFacts]]] = defaultdict(list)
        for place, training in self.trainings.items():
            name = suite.cells[place].name
            if training is not None and name in self.facts:
                self._alike[training.work].append((name, self.facts[name]))

    def cost(self, training: Training) -> Cost | None:
        """What runs alike tell of a training's cost, else a measurement."""
        if training.work not in self._costs:
            self._costs[training.work] = evidence.cost_of_runs(self._alike[training.work])
        found = self._costs[training.work]
        if found is None and training.shape in self.measured:
            return evidence.cost_measured(self.measured[training.shape])
        return found

    @cached_property
    def parameters(self) -> dict[str, int]:
        """By constructor; what was measured need not be counted again."""
        known = {
            training.constructor: self.measured[training.shape].get("parameters")
            for training in self.trainings.values()
            if training is not None and training.shape in self.measured
        }
        counts = {key: value for key, value in known.items() if isinstance(value, int) and value >= 0}
        wanted = dict.fromkeys(each.constructor for each in self.trainings.values() if each is not None)
        open_ones = [constructor for constructor in wanted if constructor not in counts]
        return {**counts, **(counted_parameters(open_ones) if open_ones else {})}

    @cached_property
    def _evaluations(self) -> dict[tuple[str, str], tuple[float, str]]:
        """Median hours of the evaluations that ended, and who says so, by label and dataset."""
        hours: dict[tuple[str, str], list[float]] = defaultdict(list)
        for cell in (each for cells in self._done.values() for each in cells):
            if (own := self._evaluate_hours(cell)) is not None:
                hours[cell.label, cell.dataset].append(own)
        return {key: (median(each), f"{counted(len(each), 'evaluation')} of this model") for key, each in hours.items()}

    def _evaluate_hours(self, cell: Cell) -> float | None:
        """What the evaluation of a cell that is done took."""
        seconds = self.facts.get(cell.name, RunFacts()).evaluate_seconds
        return None if seconds is None else seconds / 3600

    @cached_property
    def _done(self) -> dict[str, list[Cell]]:
        """By dataset."""
        done: dict[str, list[Cell]] = defaultdict(list)
        for cell in self.suite.cells:
            if cell.name not in self.missing:
                done[cell.dataset].append(cell)
        return done

    @cached_property
    def _separations(self) -> dict[str, dict[str, float]]:
        """By dataset, the hours of separation that its records tell."""
        return {dataset: evidence.separation_hours(self.suite, cells) for dataset, cells in self._done.items()}

    def _of_others(self, dataset: str, passes: float) -> tuple[float | None, str]:
        """Hours of an evaluation of so many passes, by those of other models on a dataset, and who says so.

        Of the time of another evaluation, its separation is as much longer as there are more passes.
        """
        cells, separations = self._done.get(dataset, ()), self._separations.get(dataset, {})
        more = {cell.name: passes / passes_of(cell, self._networks) for cell in cells}
        known = [(own, cell.name) for cell in cells if (own := self._evaluate_hours(cell)) is not None]
        counts = any(more[name] != 1 for name in separations)
        if known:
            hours = [own + separations.get(name, 0.0) * (more[name] - 1) for own, name in known]
            said = f"{counted(len(known), 'evaluation')} on {dataset}"
        else:
            hours = [own * more[name] for name, own in separations.items()]
            said = f"separation in {counted(len(hours), 'record')}, scoring left out"
        if not hours:
            return None, "unknown"
        return max(0.0, median(hours)), f"{said}, by its passes" if counts else said

    def evaluation(self, cell: Cell) -> tuple[float | None, str]:
        """Hours of a cell's evaluation, and who says so."""
        if cell.name not in self.missing and (own := self._evaluate_hours(cell)) is not None:
            return own, "this run"
        if (key := (cell.label, cell.dataset)) in self._evaluations:
            return self._evaluations[key]
        other = cell.dataset, passes_of(cell, self._networks)
        if other not in self._others:
            self._others[other] = self._of_others(*other)
        return self._others[other]

    def forecasts(self) -> list[CellForecast]:
        """Of all cells."""
        return [self._forecast(cell, self.trainings[place]) for place, cell in enumerate(self.suite.cells)]

    def _forecast(self, cell: Cell, training: Training | None) -> CellForecast:
        facts = self.facts.get(cell.name, RunFacts())
        state = self._state(cell, facts)
        part = facts.part_done if state == "training" else None
        evaluate_hours, said = self.evaluation(cell)
        sources = {"evaluate": said}
        if training is None:
            return CellForecast(cell, state, evaluate_hours=evaluate_hours, sources=sources)
        found: dict[str, Any] = {"steps": training.steps}
        cost = self.cost(training)
        if cost is not None:
            sources["train"] = sources["memory"] = cost.source
            if cost.of_a_step and training.validates_songs:
                sources["train"] += ", validation of songs left out"
            found["memory_bytes"] = cost.peak_bytes
            if training.steps is not None:
                found["train_hours"] = cost.step_seconds * training.steps / 3600
        if facts.steps is not None:
            found["steps"] = facts.steps
            if facts.train_seconds is not None:
                found["train_hours"], sources["train"] = facts.train_seconds / 3600, "this run"
            if facts.peak_bytes is not None:
                found["memory_bytes"], sources["memory"] = facts.peak_bytes, "this run"
        found["parameters"] = self.parameters.get(training.constructor)
        return CellForecast(cell, state, part, True, evaluate_hours=evaluate_hours, sources=sources, **found)

    def _state(self, cell: Cell, facts: RunFacts) -> str:
        if cell.name not in self.missing:
            return "done"
        state = _STATE_OF_STAGE.get(facts.stage, facts.stage)
        return state if state in STATES else "missing"
