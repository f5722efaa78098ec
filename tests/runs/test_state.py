"""What a run's folder tells: written whole, whoever else writes, and read whatever is there."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msbench.runs import state


def test_two_ranks_that_write_at_once_leave_a_whole_state(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda number: state.write_state(tmp_path, stage="failed", error=str(number)), range(200)):
            assert state.read_state(tmp_path)["stage"] == "failed"
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_state_that_is_not_there_or_broken_is_empty(tmp_path: Path) -> None:
    assert state.read_state(tmp_path) == {}
    (tmp_path / "state.json").write_text("{")
    assert state.read_state(tmp_path) == {}


def test_attempts_that_are_not_json_are_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "attempts.json").write_text("[{")
    assert state.attempts(tmp_path) == []
    (tmp_path / "attempts.json").write_text(json.dumps([{"stage": "train"}]))
    assert state.attempts(tmp_path) == [{"stage": "train"}]


def test_the_summary_of_a_run(tmp_path: Path) -> None:
    every = [
        {"stage": "train", "started": 0, "ended": 3600, "gpus": 2, "slurm_job_id": "8_0", "exit_code": 85},
        {"stage": "train", "started": 4000, "ended": None, "gpus": 2, "slurm_job_id": "8_0", "exit_code": None},
        {"stage": "train", "started": 9000, "ended": 12600, "gpus": 2, "slurm_job_id": "12_0", "exit_code": 0},
        {"stage": "evaluate", "started": 20000, "ended": 21800, "gpus": 1, "slurm_job_id": None, "exit_code": 0},
    ]
    (tmp_path / "attempts.json").write_text(json.dumps(every))
    known = {"restarts": 2, "hours": 2.5, "gpu_hours": 4.5, "slurm_job_ids": ["8_0", "12_0"]}
    assert state.run_summary(tmp_path) == known


def test_training_ends_for_good(tmp_path: Path) -> None:
    assert not state.is_trained(tmp_path)
    state.mark_trained(tmp_path, metrics={})
    assert state.is_trained(tmp_path)


def test_what_strangers_put_into_a_run_is_passed_over(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "[]", "7", '{"time": "now"}', '{"metrics": [1]}', '{"stage": 7}'):
        (tmp_path / "state.json").write_text(text)
        assert state.read_state(tmp_path) == {}
    for text in ("{}", "[7]", "[" * 100_000):
        (tmp_path / "attempts.json").write_text(text)
        assert state.attempts(tmp_path) == []
    (tmp_path / "state.json").unlink()
    (tmp_path / "state.json").symlink_to("/dev/zero")
    assert state.read_state(tmp_path) == {}
