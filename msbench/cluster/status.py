"""What each cell of a suite is doing, or why it has no record.

The sources, in this order: the record, the run's own state file, sacct, the controller, squeue. A job that none of them
knows and that left no result is lost, never completed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msbench.cluster import slurm
from msbench.cluster.journal import SbatchCall, SbatchJournal
from msbench.cluster.plan import missing_cells
from msbench.cluster.slurm import Element, ElementState
from msbench.cluster.submission import submissions
from msbench.runs import failures
from msbench.runs.state import is_trained, read_state
from msbench.runs.suite import Suite
from msbench.system.bounded import read_tail

STATES = ("done", "running", "pending", "waiting", "failed", "cancelled", "lost")
BUSY = ("running", "pending")
TAIL_BYTES = 8192
TAIL_LINES = 5


@dataclass
class CellStatus:
    """One cell."""

    name: str
    state: str = "waiting"  # one of STATES; waiting: not submitted
    stage: str = ""  # train, evaluate
    part_done: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    kind: str = ""  # class of failure
    cause: str = ""  # one sentence
    node: str = ""
    slurm_state: str = ""
    restarts: int = 0
    submission: str = ""
    elements: list[Element] = field(default_factory=list)  # of train and evaluation arrays, in this order
    logs: list[str] = field(default_factory=list)  # one per array
    log_tail: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Submitted:
    """Where a stage of a cell was submitted last."""

    call: SbatchCall
    index: int
    log: str

    @property
    def element(self) -> Element:
        return self.call.job or 0, self.index


def statuses_of(suite: Suite, journal: SbatchJournal) -> list[CellStatus]:
    """The status of every cell, in the suite's order. What SLURM says of an end is kept in the run's folder."""
    missing = {cell.name for cell in missing_cells(suite)}
    submitted = _last_submitted(suite, journal)
    jobs = {each.element[0] for name in missing & submitted.keys() for each in submitted[name].values()}
    answers = slurm.query(jobs)
    runs = suite.folder / "runs"
    started = set(os.listdir(runs)) if runs.is_dir() else set()
    found = []
    for cell in suite.cells:
        status = CellStatus(cell.name)
        found.append(status)
        stages = submitted.get(cell.name, {})
        for each in stages.values():
            status.elements.append(each.element)
            status.logs.append(each.log)
            status.submission = each.call.submission
        if cell.name not in missing:
            status.state = "done"
            continue
        state = read_state(runs / cell.name) if cell.name in started else {}
        _fill_in(status, runs / cell.name, state, stages, answers)
    return found


def _last_submitted(suite: Suite, journal: SbatchJournal) -> dict[str, dict[str, _Submitted]]:
    """{cell: {stage: where it was submitted last}}."""
    calls: dict[tuple[str, str], list[SbatchCall]] = {}
    for call in journal.calls.values():
        if call.job is not None:
            calls.setdefault((call.submission, call.array), []).append(call)
    found: dict[str, dict[str, _Submitted]] = {}
    for submission in submissions(suite.folder):
        fresh: set[str] = set()
        for array in submission.arrays:
            latest: dict[int, SbatchCall] = {}
            for call in calls.get((submission.name, array.name), ()):
                latest.update(dict.fromkeys(call.elements or range(len(array.cells)), call))
            for index, name in enumerate(array.cells):
                if index in latest:
                    if name not in fresh:
                        fresh.add(name)
                        found[name] = {}  # an older submission of it is history
                    log = str(array.log(submission.folder, index))
                    found[name][array.stage] = _Submitted(latest[index], index, log)
    return found


def _fill_in(
    status: CellStatus,
    folder: Path,
    state: dict[str, Any],
    stages: dict[str, _Submitted],
    answers: Mapping[Element, ElementState],
) -> None:
    """Fill in the status of a cell that has no record."""
    status.stage = str(state.get("stage", ""))
    status.part_done, status.metrics = state.get("done"), state.get("metrics") or {}
    if not stages:
        if status.stage == "failed":
            _fail(
                status, failures.kind_of_error(str(state.get("kind", "")), str(state.get("error"))), state.get("error")
            )
        return
    train = stages.get("train")
    if train is not None and not (state and is_trained(folder)):
        answer = answers.get(train.element)
        trained = answer is not None and answer.state == "COMPLETED"
    else:
        trained = True
    submitted = stages.get("evaluate") if trained else train
    status.stage = "evaluate" if trained else "train"
    if submitted is None:  # trained; its evaluation was not submitted
        return
    answer = answers.get(submitted.element)
    if answer is not None:
        status.node, status.slurm_state, status.restarts = answer.node, answer.state, answer.restarts
        if answer.active:
            status.state = "pending" if answer.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD") else "running"
            return
    _explain(status, folder, state, submitted, answer)


def _explain(
    status: CellStatus, folder: Path, state: dict[str, Any], submitted: _Submitted, answer: ElementState | None
) -> None:
    """Say why a stage that no longer runs left no record."""
    lines, code, node = _log(submitted)
    status.log_tail, status.node = lines[-TAIL_LINES:], status.node or node
    where = f" on {status.node}" if status.node else ""
    job = f"job {submitted.element[0]}_{submitted.element[1]}"
    if state.get("stage") == "failed" and state.get("time", 0) >= submitted.call.time:
        kind = _kind_of(state)
        _fail(status, kind, f"{kind}{where}: {state.get('error')}")
    elif answer is None and code is None:
        kept = failures.read_verdict(folder)
        if kept.get("element") == list(submitted.element):
            _fail(status, kept["kind"], kept["cause"])
            status.node, status.slurm_state = kept["node"], kept["slurm_state"]
            return
        _fail(status, "lost", f"lost: SLURM no longer knows {job}, and it left no result")
    elif (answer is None or answer.state == "COMPLETED") and code in (0, None):
        _fail(status, "lost", f"lost: {job} ended well{where}, but left no result")
    else:
        kind = failures.kind_of_slurm_end(answer.state if answer else "", code, "\n".join(lines))
        how = f"SLURM says {answer.state}" if answer else "SLURM has forgotten it"
        how += f", exit code {code}" if code is not None else ""
        last = next((line for line in reversed(lines) if line.strip()), "")
        _fail(status, kind, f"{kind}{where}: {how} ({job}, {status.stage}){f'; last line: {last}' if last else ''}")
    _keep_verdict(status, folder, submitted)


def _kind_of(state: dict[str, Any]) -> str:
    """The class of the failure that a process noted in its state."""
    return failures.kind_of_error(str(state.get("kind", "")), str(state.get("error")))


def _fail(status: CellStatus, kind: str, cause: object) -> None:
    status.state = kind if kind in ("cancelled", "lost") else "failed"
    status.kind, status.cause = kind, str(cause)


def _keep_verdict(status: CellStatus, folder: Path, submitted: _Submitted) -> None:
    """Keep the verdict for when SLURM has forgotten the job, and for the board."""
    verdict = {
        "element": list(submitted.element),
        "stage": status.stage,
        "kind": status.kind,
        "cause": status.cause,
        "node": status.node,
        "slurm_state": status.slurm_state,
    }
    kept = failures.read_verdict(folder)
    if {key: kept.get(key) for key in verdict} != verdict:
        failures.write_verdict(folder, {**verdict, "time": time.time()})


def _log(submitted: _Submitted) -> tuple[list[str], int | None, str]:
    """The last lines that the step of an element wrote, its exit code and its node as the shell noted them."""
    lines = read_tail(Path(submitted.log), TAIL_BYTES).splitlines()
    name = f"{submitted.element[0]}_{submitted.element[1]}"
    begins = [number for number, line in enumerate(lines) if line.startswith(f"msbench: begin {name} ")]
    lines = lines[begins[-1] :] if begins else lines
    code, node = None, ""
    for line in lines:
        if match := re.match(rf"msbench: end {name} code (\d+) on (\S+),", line):
            code, node = int(match[1]), match[2]
        elif match := re.match(rf"msbench: begin {name} .* on (\S+), restart", line):
            node = match[1]
    return [line for line in lines if not line.startswith("msbench: ")], code, node
