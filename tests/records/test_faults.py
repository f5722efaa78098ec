"""Bounds of a record: whatever a stranger writes in one, the sentence names its place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from msbench import records
from msbench.records import faults
from tests.leaderboard.boards import record


def fault_after(*path: str, value: Any) -> str:
    """What is said of a record in which one value is another."""
    made: Any = record("system")
    place = made
    for step in path[:-1]:
        place = place.setdefault(step, {})
    place[path[-1]] = value
    found = faults.fault_of(made)
    assert found is not None
    with pytest.raises(ValueError, match=r"^here: "):
        records.validate(made, "here")
    return found[1]


@pytest.mark.parametrize(
    "path", [("model", "parameters"), ("speed", "peak_bytes"), ("speed", "real_time_factor"), ("run", "gpu_hours")]
)
@pytest.mark.parametrize("value", [-1, 1e300, True, "1", [1], {}])
def test_numbers_have_their_type_and_are_bounded(path: tuple[str, str], value: Any) -> None:
    assert ".".join(path) in fault_after(*path, value=value)


def test_types_hold_where_a_page_reads_them() -> None:
    assert "run.jobs" in fault_after("run", "jobs", value=5)
    assert "run.slurm_job_ids" in fault_after("run", "slurm_job_ids", value=[None])
    assert "song / x is None, not an object of scores" in fault_after("scores", "song", "x", value=None)
    assert "song / voice / reason is 5, not text" in fault_after("scores", "song", "voice", "reason", value=5)
    said = fault_after("scores", "song", "voice", "SAR", value=True)
    assert "song / voice / SAR is True, not a finite number" in said
    assert "song has no scores of band" in fault_after("scores", "song", value=[])


@pytest.mark.parametrize("value", [1e308, -1e10, 10**400, float("inf"), float("nan")])
def test_scores_are_bounded(value: float) -> None:
    assert "song / voice / SDR is" in fault_after("scores", "song", "voice", "SDR", value=value)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "a\0", "\u2028", " ", "x" * 181, "音" * 61])
@pytest.mark.parametrize("path", [("model", "label"), ("model", "name"), ("dataset", "name"), ("dataset", "split")])
def test_names_are_short_and_of_one_line(path: tuple[str, str], name: str) -> None:
    said = fault_after(*path, value=name)
    assert ".".join(path) in said
    assert said.isprintable()


def test_a_name_may_hold_what_is_no_danger_in_a_page() -> None:
    for name in ("../x", "<b>", "a/b", "=1+1", "Ångström – 音楽"):
        made = record("system")
        made["model"]["label"] = name
        assert faults.fault_of(made) is None


def test_there_are_not_too_many() -> None:
    targets = [f"t{number}" for number in range(170)]
    assert "names 170 targets" in fault_after("metric", "id", value="bsseval-v4;targets=" + ",".join(targets))
    of_targets = {name: {"SDR": 1.0} for name in ("band", "voice", *targets)}
    assert "172 targets" in fault_after("scores", "song", value=of_targets)
    assert "201 scores" in fault_after("scores", "song", "band", value={str(i): 1 for i in range(201)})
    assert "metric.beside" in fault_after("metric", "beside", value=["x"] * 65)
    started = time.monotonic()
    assert "dataset.tracks holds" in fault_after("dataset", "tracks", value=["x"] * 500_000)
    assert "scores holds" in fault_after("scores", value=dict.fromkeys(map(str, range(500_000)), 1))
    assert time.monotonic() - started < 8
