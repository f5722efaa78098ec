"""What every cell of a suite is doing, or why it has no record.

Asked in this order: the record, the run's own state file, sacct, the controller, squeue. A job that nobody knows and
that left no word is lost, never completed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from msbench.cluster import slurm
from msbench.cluster.journal import Call, Journal
from msbench.cluster.plan import missing_cells
from msbench.cluster.slurm import Element, Seen
from msbench.runs import failures
from msbench.runs.state import is_trained, read_state
from msbench.runs.suite import Suite

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
    logs: list[str] = field(default_factory=list)  # one an array too
    log_tail: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Place:
    """Where a stage of a cell was submitted last."""

    call: Call
    index: int
    log: str

    @property
    def element(self) -> Element:
        return self.call.job or 0, self.index


def look_at(suite: Suite, journal: Journal) -> list[CellStatus]:
    """The status of every cell, in the suite's order. What SLURM says of an end is kept in the run's folder."""
    missing = {cell.name for cell in missing_cells(suite)}
    places = _places(journal)
    seen = slurm.look(
        {place.call.job or 0 for name, stages in places.items() if name in missing for place in stages.values()}
    )
    runs = suite.folder / "runs"
    started = set(os.listdir(runs)) if runs.is_dir() else set()
    found = []
    for cell in suite.cells:
        status = CellStatus(cell.name)
        found.append(status)
        submitted = places.get(cell.name, {})
        for place in submitted.values():
            status.elements.append(place.element)
            status.logs.append(place.log)
            status.submission = place.call.submission
        if cell.name not in missing:
            status.state = "done"
            continue
        state = read_state(runs / cell.name) if cell.name in started else {}
        _judge(status, runs / cell.name, state, submitted, seen)
    return found


def _places(journal: Journal) -> dict[str, dict[str, _Place]]:
    """{cell: {stage: where it was submitted last}}."""
    calls: dict[tuple[str, str], list[Call]] = {}
    for call in journal.calls.values():
        if call.job is not None:
            calls.setdefault((call.submission, call.array), []).append(call)
    found: dict[str, dict[str, _Place]] = {}
    for submission, content in journal.submissions().items():
        fresh: set[str] = set()
        logs = journal.folder / submission / "logs"
        for array in content["arrays"]:
            latest: dict[int, Call] = {}
            for call in calls.get((submission, array["name"]), ()):
                latest.update(dict.fromkeys(call.elements or range(len(array["cells"])), call))
            for index, name in enumerate(array["cells"]):
                if index in latest:
                    if name not in fresh:
                        fresh.add(name)
                        found[name] = {}  # an older submission of it is history
                    found[name][array["stage"]] = _Place(latest[index], index, f"{logs}/{array['name']}_{index}.log")
    return found


def _judge(
    status: CellStatus, folder: Path, state: dict[str, Any], places: dict[str, _Place], seen: Mapping[Element, Seen]
) -> None:
    """Fill in the status of a cell that has no record."""
    status.stage = str(state.get("stage", ""))
    status.part_done, status.metrics = state.get("done"), state.get("metrics") or {}
    if not places:
        if status.stage == "failed":
            _fail(status, failures.of_error(str(state.get("kind", "")), str(state.get("error"))), state.get("error"))
        return
    train = places.get("train")
    if train is not None and not (state and is_trained(folder)):
        answer = seen.get(train.element)
        trained = answer is not None and answer.state == "COMPLETED"
    else:
        trained = True
    place = places.get("evaluate") if trained else train
    status.stage = "evaluate" if trained else "train"
    if place is None:  # trained; its evaluation was not submitted
        return
    answer = seen.get(place.element)
    if answer is not None:
        status.node, status.slurm_state, status.restarts = answer.node, answer.state, answer.restarts
        if answer.active:
            status.state = "pending" if answer.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD") else "running"
            return
    _explain(status, folder, state, place, answer)


def _explain(status: CellStatus, folder: Path, state: dict[str, Any], place: _Place, answer: Seen | None) -> None:
    """Say why a stage that no longer runs left no record."""
    lines, code, node = _log(place)
    status.log_tail, status.node = lines[-TAIL_LINES:], status.node or node
    where = f" on {status.node}" if status.node else ""
    job = f"job {place.element[0]}_{place.element[1]}"
    if state.get("stage") == "failed" and state.get("time", 0) >= place.call.time:
        kind = failures.of_error(str(state.get("kind", "")), str(state.get("error")))
        _fail(status, kind, f"{kind}{where}: {state.get('error')}")
    elif answer is None and code is None:
        kept = failures.read_verdict(folder)
        if kept.get("element") == list(place.element):
            _fail(status, kept["kind"], kept["cause"])
            status.node, status.slurm_state = kept["node"], kept["slurm_state"]
            return
        _fail(status, "lost", f"lost: nobody knows {job} any more, and it left no result")
    elif (answer is None or answer.state == "COMPLETED") and code in (0, None):
        _fail(status, "lost", f"lost: {job} ended well{where}, but left no result")
    else:
        kind = failures.of_slurm(answer.state if answer else "", code, "\n".join(lines))
        how = f"SLURM says {answer.state}" if answer else "SLURM has forgotten it"
        how += f", exit code {code}" if code is not None else ""
        last = next((line for line in reversed(lines) if line.strip()), "")
        _fail(status, kind, f"{kind}{where}: {how} ({job}, {status.stage}){f'; last line: {last}' if last else ''}")
    _keep(status, folder, place)


def _fail(status: CellStatus, kind: str, cause: object) -> None:
    status.state = kind if kind in ("cancelled", "lost") else "failed"
    status.kind, status.cause = kind, str(cause)


def _keep(status: CellStatus, folder: Path, place: _Place) -> None:
    """Keep the verdict for when SLURM has forgotten the job, and for the board."""
    verdict = {
        "element": list(place.element), "stage": status.stage, "kind": status.kind, "cause": status.cause,
        "node": status.node, "slurm_state": status.slurm_state,
    }  # fmt: skip
    kept = failures.read_verdict(folder)
    if {key: kept.get(key) for key in verdict} != verdict:
        failures.write_verdict(folder, {**verdict, "time": time.time()})


def _log(place: _Place) -> tuple[list[str], int | None, str]:
    """The last lines that the step of an element wrote, its exit code and its node as the shell noted them."""
    try:
        with Path(place.log).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return [], None, ""
    name = f"{place.element[0]}_{place.element[1]}"
    begins = [number for number, line in enumerate(lines) if line.startswith(f"msbench: begin {name} ")]
    lines = lines[begins[-1] :] if begins else lines
    code, node = None, ""
    for line in lines:
        if match := re.match(rf"msbench: end {name} code (\d+) on (\S+),", line):
            code, node = int(match[1]), match[2]
        elif match := re.match(rf"msbench: begin {name} .* on (\S+), restart", line):
            node = match[1]
    told = [line for line in lines if not line.startswith("msbench: ")]
    return told, code, node
