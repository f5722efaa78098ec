"""What runs tell: seconds per step of those that ended, nothing of those that were killed or are a stranger's."""

from __future__ import annotations

import json
from pathlib import Path

from msbench.planning.evidence import Cost, RunFacts, cost_measured, cost_of_runs, facts_of


def write(folder: Path, **files: object) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def attempt(stage: str, started: float, ended: float | None, exit_code: int | None = 0) -> dict[str, object]:
    return {"stage": stage, "started": started, "ended": ended, "gpus": 0, "slurm_job_id": None, "exit_code": exit_code}


def test_a_run_that_ended(tmp_path: Path) -> None:
    attempts = [attempt("train", 0, 100, 85), attempt("train", 200, 300), attempt("evaluate", 300, 360)]
    trained = {"epochs": 2, "steps": 50, "device": "a card", "peak_bytes": 2**30}
    run = write(tmp_path / "run", state={"stage": "done", "done": 1.0}, attempts=attempts, trained=trained)
    assert facts_of(run) == RunFacts("done", 1.0, 50, 200.0, 60.0, 2**30, "a card")


def test_what_is_not_known_is_none(tmp_path: Path) -> None:
    assert facts_of(tmp_path) == RunFacts()
    killed = [attempt("train", 0, None, None), attempt("train", 200, 300)]
    run = write(tmp_path / "run", attempts=killed, trained={"epochs": 2, "steps": 50})
    assert facts_of(run) == RunFacts(steps=50)  # of an earlier version, too
    odd = {"steps": -3, "device": 7, "peak_bytes": True}
    assert facts_of(write(tmp_path / "odd", attempts=7, trained=odd, state={"done": "half"})) == RunFacts()
    assert facts_of(write(tmp_path / "list", attempts=[[]], trained=[], state=[])) == RunFacts()


def test_the_cost_is_the_median_of_runs_alike() -> None:
    one = RunFacts(steps=10, train_seconds=20.0, peak_bytes=5, device="a card")
    assert cost_of_runs([("one", one)]) == Cost(2.0, 5, "run one on a card")
    others = [("two", RunFacts(steps=10, train_seconds=40.0)), ("three", RunFacts(steps=10, train_seconds=1000.0))]
    assert cost_of_runs([("one", one), *others]) == Cost(4.0, 5, "3 runs as one on a card")
    assert cost_of_runs([("begun", RunFacts(stage="training"))]) is None


def test_a_measurement_says_where() -> None:
    found = cost_measured({"step_seconds": 0.5, "peak_bytes": 7, "device": "a processor", "threads": 2})
    assert found == Cost(0.5, 7, "measured on a processor (2 threads)", of_a_step=True)
