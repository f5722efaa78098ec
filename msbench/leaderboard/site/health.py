"""How the runs behind a board went: what failed, what was started again, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msbench.leaderboard.board import Board
from msbench.leaderboard.display import decimals, is_number
from msbench.records.record import tier_of
from msbench.records.types import Record
from msbench.runs.state import read_state


def health(board: Board, faults: list[str]) -> dict[str, Any]:
    """What the template of run health shows; the faults of what can be heard stand below those of records."""
    missing = board.missing
    lines = [_record(record) for record in board.records]
    hours = [record["hours"] for record in lines if is_number(record["hours"])]
    restarts = [record["restarts"] for record in lines if is_number(record["restarts"])]
    states = {cell: _state(board, cell) for cell in missing}
    failed = sum(state == "failed" for state in states.values())
    totals = [
        ("records", str(len(lines))),
        ("failed cells", str(failed)),
        ("other cells without a record", str(len(missing) - failed)),
        ("restarts", str(sum(restarts)) if restarts else "unknown"),
        ("GPU hours", decimals(sum(hours), 1) if hours else "unknown"),
    ]
    return {
        "totals": totals,
        "faults": [*board.public_faults, *faults],
        "missing": [{"cell": cell, "stage": states[cell], "cause": cause} for cell, cause in missing.items()],
        "records": lines,
    }


def _state(board: Board, cell: str) -> str:
    if board.suite is None:
        return "not run"
    return str(read_state(board.suite.folder / "runs" / cell).get("stage") or "not run")


def _record(record: Record) -> dict[str, Any]:
    run: Mapping[str, Any] = record["run"]
    jobs = run.get("slurm_job_ids") or run.get("jobs") or []
    hours, restarts = run.get("gpu_hours"), run.get("restarts")
    seconds = record["speed"].get("seconds")
    scored = [scores for targets in record["scores"].values() for scores in targets.values()]
    figures = [
        "–" if record.get("seed") is None else str(record["seed"]),
        "–" if restarts is None else str(restarts),
        decimals(hours, 1),
        ", ".join(str(job) for job in jobs) or "–",
        f"{sum(1 for scores in scored if scores.get('reason'))} of {len(scored)}",
        f"{decimals(seconds, 1)} s" if is_number(seconds) else "–",
    ]
    label, data = record["model"]["label"], record["dataset"]
    return {
        "record": f"{label}, {data['name']}/{data['split']}",
        "tier": tier_of(record),
        "figures": figures,
        "hours": hours,
        "restarts": restarts,
    }
