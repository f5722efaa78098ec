"""The forecast of a suite: states, costs and who says so; nothing is changed, and broken folders stop nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from msbench import records
from msbench.planning import measuring
from msbench.planning.forecast import CellForecast, forecast
from msbench.planning.forecast_table import totals
from msbench.planning.parameters import counted_parameters
from msbench.runs.suite import Suite, read_suite
from tests.leaderboard.boards import record
from tests.planning.test_evidence import attempt, write

SUITE = """
datasets: [demo]
seeds: [0, 1]
models:
  - {recipe: unet_small, sweep: {separator.depth: [3, 4]}, label: 'd{separator.depth}'}
  - mixture
"""
STEPS = 30 * 30  # of unet_small


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "suite.yaml").write_text(SUITE)
    return read_suite(tmp_path)


def run_of(suite: Suite, name: str, **files: object) -> None:
    (suite.folder / "runs").mkdir(exist_ok=True)
    cell = next(cell for cell in suite.cells if name in (cell.label, f"{cell.label}-s{cell.seed}"))
    write(suite.run_folder(cell), **files)


def end(suite: Suite, name: str, seconds: float, steps: int = STEPS) -> None:
    """A training and an evaluation of half of its time, with a record."""
    attempts = [attempt("train", 0, seconds), attempt("evaluate", seconds, 1.5 * seconds)]
    trained = {"epochs": 30, "steps": steps, "device": "a card", "peak_bytes": 2**30}
    run_of(suite, name, state={"stage": "done", "done": 1.0}, attempts=attempts, trained=trained)
    cell = next(cell for cell in suite.cells if name in (cell.label, f"{cell.label}-s{cell.seed}"))
    records.write(suite.record_path(cell), record(cell.label))


def found(suite: Suite, **options: Any) -> dict[str, CellForecast]:
    cells = forecast(suite, **options)
    return {each.cell.label + (f"-s{each.cell.seed}" if each.trains else ""): each for each in cells}


def test_without_any_run_time_and_memory_are_unknown(suite: Suite) -> None:
    before = sorted(suite.folder.rglob("*"))
    cells = found(suite)
    assert sorted(suite.folder.rglob("*")) == before
    small, large = cells["d3-s0"], cells["d4-s0"]
    assert (small.state, small.steps, small.hours, small.memory_bytes) == ("missing", STEPS, None, None)
    assert small.parameters is not None
    assert large.parameters is not None
    assert 0 < small.parameters < large.parameters
    assert (cells["mixture"].trains, cells["mixture"].hours, cells["mixture"].steps) == (False, None, None)
    total = totals([*cells.values()])
    assert (total["cells"], total["states"], total["cells_without_hours"]) == (5, {"missing": 5}, 5)


def test_a_run_tells_the_cost_of_its_like_alone(suite: Suite) -> None:
    end(suite, "d3-s0", 3600, steps=STEPS // 2)  # early stopping
    run_of(suite, "d3-s1", state={"stage": "training", "done": 0.25})
    cells = found(suite)
    assert (cells["d3-s0"].state, cells["d3-s0"].steps) == ("done", STEPS // 2)
    assert (cells["d3-s0"].train_hours, cells["d3-s0"].sources["train"]) == (1.0, "this run")
    other = cells["d3-s1"]
    assert (other.state, other.part_done, other.steps) == ("training", 0.25, STEPS)
    assert (other.train_hours, other.evaluate_hours, other.memory_bytes) == (2.0, 0.5, 2**30)
    assert other.sources["train"].startswith("run d3-demo-s0-")
    assert other.sources["train"].endswith(" on a card")
    assert other.hours_left == 2.5 - 0.5
    assert cells["d4-s0"].hours is None
    assert cells["d4-s0"].sources == {"evaluate": "1 evaluation on demo"}
    assert cells["mixture"].hours == 0.5
    total = totals([*cells.values()])
    assert (total["hours"], total["hours_left"], total["cells_without_hours"]) == (1.5 + 2.5 + 0.5, 2.0 + 0.5, 2)


def test_an_evaluation_of_more_passes_takes_longer(tmp_path: Path) -> None:
    """By the separation of the others, not by their scoring."""
    models = "[mixture, {model: mixture_share, inference: {shifts: 3}}, {model: hpss, inference: {tta: [polarity]}}]"
    (tmp_path / "suite.yaml").write_text(f"datasets: [demo]\nmodels: {models}\n")
    suite = read_suite(tmp_path)
    made = record("mixture")
    made["speed"] = {"real_time_factor": 0.5}
    made["dataset"]["seconds"] = [3600.0]
    records.write(suite.record_path(suite.cells[0]), made)
    cells = found(suite)
    assert [each.evaluate_hours for each in cells.values()] == [0.5, 1.5, 1.0]
    run_of(suite, "mixture", state={"stage": "done", "done": 1.0}, attempts=[attempt("evaluate", 0, 3600)])
    cells = found(suite)
    assert [each.evaluate_hours for each in cells.values()] == [1.0, 2.0, 1.5]
    assert [*cells.values()][1].sources["evaluate"] == "1 evaluation on demo, by its passes"


def test_validation_of_songs_is_a_part_of_a_training(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a run without it is not that of one with it, and a step that is measured has none."""
    (suite.folder / "suite.yaml").write_text(SUITE + "  - {recipe: unet_small, label: d3v, set: SET}\n".replace(
        "SET", "{separator.depth: 3, validate_songs_every: 5}"))  # fmt: skip
    suite = read_suite(suite.folder)
    end(suite, "d3-s0", 3600)
    assert found(suite)["d3-s1"].train_hours == 1.0
    assert found(suite)["d3v-s0"].train_hours is None
    measured = {"step_seconds": 2.0, "peak_bytes": 7, "device": "a processor", "threads": 1, "parameters": 99}
    monkeypatch.setattr(measuring, "measure", lambda suite, cell: measured)
    cell = found(suite, measure=True)["d3v-s1"]
    assert cell.sources["train"] == "measured on a processor (1 thread), validation of songs left out"
    end(suite, "d3v-s0", 7200)
    assert found(suite)["d3v-s1"].train_hours == 2.0


def test_what_is_measured_is_kept_for_later_plans(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    end(suite, "d3-s0", 3600)
    asked, said = [], []

    def measure(suite: Suite, cell: Any) -> dict[str, Any]:
        asked.append(cell.label)
        return {"step_seconds": 2.0, "peak_bytes": 7, "device": "a processor", "threads": 1, "parameters": 99}

    monkeypatch.setattr(measuring, "measure", measure)
    found(suite, measure=True, say=said.append)
    assert (asked, said) == (["d4"], ["measuring 1 of 1: d4"])  # once, for both seeds, and not what a run has told
    found(suite, measure=True, say=said.append)
    assert asked == ["d4"]
    cell = found(suite)["d4-s1"]
    assert (cell.train_hours, cell.memory_bytes, cell.parameters) == (STEPS * 2 / 3600, 7, 99)
    assert cell.sources["train"] == "measured on a processor (1 thread)"


def test_a_measurement_that_fails_is_said(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(measuring, "measure", lambda suite, cell: {"error": "no memory"})
    assert found(suite, measure=True, say=said.append)["d3-s0"].hours is None
    assert said[1] == "d3 is not measured: no memory"


BROKEN: dict[str, Callable[[Path], object]] = {
    "a file in place of a folder": lambda run: run.write_text("x"),
    "no JSON": lambda run: [write(run), [(run / f"{each}.json").write_text("[{") for each in ("state", "trained")]],
    "other JSON": lambda run: write(run, state=[1], attempts={"a": 1}, trained="x"),
    "a state of words": lambda run: write(run, state={"stage": "training", "done": "half"}),
    "an unknown stage": lambda run: write(run, state={"stage": "dancing"}),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_bad_folder_stops_nothing(suite: Suite, kind: str) -> None:
    (suite.folder / "runs").mkdir()
    BROKEN[kind](suite.run_folder(suite.cells[0]))
    (suite.folder / "runs" / "measured.json").write_text('{"a": {"step_seconds": "1"}, "b": 7}')
    assert found(suite)["d3-s0"].state in ("missing", "training")


def test_states_follow_the_stages(suite: Suite) -> None:
    names = {"d3-s0": "failed", "d3-s1": "trained", "d4-s0": "starting", "d4-s1": "saved", "mixture": "evaluating"}
    for name, stage in names.items():
        run_of(suite, name, state={"stage": stage})
    states = {name: each.state for name, each in found(suite).items()}
    assert [*states.values()] == ["failed", "trained", "started", "started", "evaluating"]


def test_ten_thousand_cells_are_planned_in_seconds(tmp_path: Path) -> None:
    values = {"separator.filters": [*range(1, 101)], "data.batch_size": [*range(1, 101)]}
    entry = {"recipe": "unet_small", "sweep": values, "label": "f{separator.filters}-b{data.batch_size}"}
    (tmp_path / "suite.yaml").write_text(json.dumps({"datasets": ["demo"], "models": [entry]}))
    suite = read_suite(tmp_path)
    counted_parameters([])  # imports torch, which takes seconds where the machine is busy
    began = time.process_time()
    cells = forecast(suite)
    assert time.process_time() - began < 5.0
    assert len(cells) == 10_000
    assert any(each.parameters for each in cells)
