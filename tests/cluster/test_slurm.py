"""What SLURM does around a cell, on a real cluster of two nodes; the cells are stand-ins that start in a moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msbench_slurm.private_cluster import PrivateCluster

from msbench.cli.app import main
from msbench.cluster import slurm
from msbench.cluster.journal import SbatchJournal
from msbench.cluster.slurm import job_named
from tests.cluster.jobs import starts, statuses, wait_for_end, wait_until, write_profile, write_suite
from tests.cluster.stand_in import FAIL, STEPS


def submit(folder: Path, **changes: object) -> int:
    return main(["submit", str(folder / "suite.yaml"), "--cluster", str(write_profile(folder, **changes))])


def test_a_suite_becomes_a_board_that_says_what_is_missing(cluster: PrivateCluster, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"good": {}, "bad": {FAIL: "training loss became nan at step 3"}}, (0, 1))
    assert submit(tmp_path, at_once=3) == 0
    calls = list(SbatchJournal.of(suite).calls.values())
    assert [call.array for call in calls] == ["train-1", "evaluate-1", "aggregate"]  # of arrays, not of cells
    assert all(call.name not in ("bash", "interactive") for call in calls)
    assert "ArrayTaskThrottle=3" in cluster.run("scontrol", "show", "job", str(calls[0].job))
    found = wait_for_end(suite)
    assert {name: each.state for name, each in found.items()} == {
        "good-0": "done",
        "good-1": "done",
        "bad-0": "failed",
        "bad-1": "failed",
    }
    assert found["bad-0"].kind == "NaN loss"
    assert found["bad-0"].node in ("n1", "n2")
    wait_until((tmp_path / "board.md").exists, "the board")
    text = (tmp_path / "board.md").read_text()
    assert "good" in text
    assert f"NaN loss on {found['bad-0'].node}: training loss became nan" in text
    environment = json.loads((suite.run_folder(suite.cells[0]) / "environment.json").read_text())
    assert environment["SRUN_CPUS_PER_TASK"] == "1"
    assert 10000 <= int(environment["MASTER_PORT"]) < 30000


def test_a_signal_saves_and_requeues(cluster: PrivateCluster, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"long": {STEPS: 40}})
    assert submit(tmp_path) == 0
    wait_until(lambda: statuses(suite)["long-0"].part_done is not None, "the training")
    job, index = statuses(suite)["long-0"].elements[0]
    cluster.run("scancel", "--signal=USR2", f"{job}_{index}")
    wait_until(lambda: cluster.hurry() or len(starts(suite, "long")) == 2, "the restart")
    assert starts(suite, "long")[1][0] > 0  # it went on from where it was
    assert wait_for_end(suite)["long-0"].state == "done"


def test_the_time_limit_saves_and_requeues(cluster: PrivateCluster, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"long": {STEPS: 600}})
    assert submit(tmp_path) == 0
    wait_until(lambda: starts(suite, "long"), "the training")
    job, index = statuses(suite)["long-0"].elements[0]
    cluster.run("scontrol", "update", f"jobid={job}_{index}", "TimeLimit=2")  # the signal is due 120 s before it
    counter = suite.run_folder(suite.cells[0]) / "counter"
    wait_until(counter.exists, "the signal")
    wait_until(lambda: statuses(suite)["long-0"].restarts == 1, "the requeue")
    assert statuses(suite)["long-0"].state == "pending"
    cluster.run("scontrol", "update", f"jobid={job}_{index}", "TimeLimit=30")
    counter.write_text("599")
    wait_until(lambda: cluster.hurry() or len(starts(suite, "long")) == 2, "the restart")
    assert starts(suite, "long")[1][0] == 599
    assert wait_for_end(suite)["long-0"].state == "done"


def test_an_element_is_preempted_and_goes_on(cluster: PrivateCluster, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"one": {STEPS: 50}, "two": {STEPS: 50}})
    half = {"gpus": 0, "cpus": 4, "memory_gb": 1, "hours": 0.5}  # a node each
    assert submit(tmp_path, train=half) == 0
    wait_until(lambda: starts(suite, "one") and starts(suite, "two"), "both trainings")
    node = starts(suite, "one")[0][1]
    cluster.run(
        "sbatch",
        "--partition=urgent",
        f"--nodelist={node}",
        "--cpus-per-task=4",
        "--output=/dev/null",
        "--wrap=sleep 2",
    )
    wait_until(lambda: cluster.hurry() or len(starts(suite, "one")) == 2, "the restart")
    assert starts(suite, "one")[1][0] > 0
    assert {each.state for each in wait_for_end(suite).values()} == {"done"}
    assert len(starts(suite, "two")) == 1


def test_a_killed_step_fails_and_is_retried_in_its_place(cluster: PrivateCluster, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"good": {}, "bad": {FAIL: "of no use"}, "long": {STEPS: 20}})
    assert submit(tmp_path) == 0
    wait_until(lambda: starts(suite, "long"), "the training")
    os.kill(starts(suite, "long")[0][2], signal.SIGKILL)
    found = wait_for_end(suite)
    assert (found["long-0"].state, found["long-0"].kind) == ("failed", "killed")
    assert "exit code 137" in found["long-0"].cause
    assert "on n" in found["long-0"].cause
    assert (found["bad-0"].state, found["bad-0"].kind) == ("failed", "code")
    before = len(SbatchJournal.of(suite).calls)
    assert main(["retry", "--failed", str(tmp_path)]) == 0
    again = list(SbatchJournal.of(suite).calls.values())[before:]
    assert [(call.array, call.elements) for call in again] == [
        ("train-1", [2]),
        ("evaluate-1", [2]),
        ("aggregate", None),
    ]
    assert wait_for_end(suite)["long-0"].state == "done"
    assert len(starts(suite, "long")) == 2


def test_cancelled_jobs_stay_cancelled(
    cluster: PrivateCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path, {"long": {STEPS: 600}, "next": {STEPS: 600}})
    assert submit(tmp_path) == 0
    wait_until(lambda: starts(suite, "long") and starts(suite, "next"), "the trainings")
    assert main(["cancel", str(tmp_path)]) == 0
    found = wait_for_end(suite)
    assert {each.state for each in found.values()} == {"cancelled"}  # saved with 85, but not requeued
    assert main(["retry", "--failed", str(tmp_path)]) == 0
    assert "nothing to try again" in capsys.readouterr().out
    assert main(["logs", str(tmp_path), "long"]) == 0
    assert "train pid" in capsys.readouterr().out


def test_long_arrays_are_split(cluster: PrivateCluster, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"good": {}}, tuple(range(8)))  # the cluster's MaxArraySize is 6
    assert submit(tmp_path) == 0
    calls = SbatchJournal.of(suite).calls.values()
    assert [call.array for call in calls] == ["train-1", "train-2", "evaluate-1", "evaluate-2", "aggregate"]
    assert {each.state for each in wait_for_end(suite).values()} == {"done"}


def test_submitted_from_inside_a_job(cluster: PrivateCluster, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"good": {}})
    profile = write_profile(tmp_path)
    command = f"{sys.executable} -m msbench.cli submit {tmp_path} --cluster {profile}"
    cluster.run(
        "sbatch",
        "--wait",
        "--nodes=2",
        "--ntasks-per-node=2",
        "--job-name=interactive",
        f"--output={tmp_path}/outer.log",
        f"--wrap=export SBATCH_PARTITION=nowhere RANK=7; {command}",
    )
    assert wait_for_end(suite)["good-0"].state == "done", (tmp_path / "outer.log").read_text()
    environment = json.loads((suite.run_folder(suite.cells[0]) / "environment.json").read_text())
    assert (environment["SLURM_NTASKS"], environment["SLURM_NNODES"]) == ("1", "1")
    assert "RANK" not in environment


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_planner_killed_around_sbatch_submits_nothing_twice(
    cluster: PrivateCluster, tmp_path: Path, when: str
) -> None:
    suite = write_suite(tmp_path, {"good": {}, "more": {}})
    profile = write_profile(tmp_path)
    # Killed as it was about to call sbatch, or when sbatch had answered and the journal did not know it yet.
    target = (
        "msbench.cluster.submit.slurm.call" if when == "before" else "msbench.cluster.journal.SbatchJournal.confirm"
    )
    code = f"""
import os, signal, unittest.mock
from msbench.cli import main
from msbench.cluster import slurm
real = slurm.call
def kill(*command):
    if {when == "after"} or command[0] == "sbatch":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*command)
with unittest.mock.patch({target!r}, kill):
    main(["submit", {str(tmp_path)!r}, "--cluster", {str(profile)!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    (call,) = SbatchJournal.of(suite).calls.values()
    assert call.job is None
    assert (job_named(call.name) is None) == (when == "before")
    assert submit(tmp_path) == 0
    calls = [each for each in SbatchJournal.of(suite).calls.values() if not each.dropped]
    assert [each.array for each in calls] == ["train-1", "evaluate-1", "aggregate"]
    assert (calls[0].token == call.token) == (when == "after")
    assert {each.state for each in wait_for_end(suite).values()} == {"done"}
    assert len(starts(suite, "good")) == 1


def test_a_dead_node_gives_its_element_to_the_other(cluster: PrivateCluster, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"long": {STEPS: 30}})
    assert submit(tmp_path) == 0
    wait_until(lambda: starts(suite, "long"), "the training")
    node = starts(suite, "long")[0][1]
    cluster.kill_node(node)
    try:
        wait_until(lambda: cluster.hurry() or len(starts(suite, "long")) == 2, "the restart")
        assert starts(suite, "long")[1][1] != node
        assert wait_for_end(suite)["long-0"].state == "done"
    finally:
        cluster.start_node(node)
        wait_until(lambda: cluster.run("sinfo", "-h", "-o", "%T").split() in (["idle"], ["idle", "idle"]), "the node")


def test_what_nobody_knows_is_lost(cluster: PrivateCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = write_suite(tmp_path, {"long": {STEPS: 600}})
    assert submit(tmp_path) == 0
    wait_until(lambda: starts(suite, "long"), "the training")
    cluster.clear()
    journal = tmp_path / "jobs" / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    journal.write_text("".join(json.dumps(line | ({"job": 999999} if "job" in line else {})) + "\n" for line in lines))
    assert cluster.run("sacct", check=False) == ""  # there is no accounting to ask
    assert statuses(suite)["long-0"].state == "lost"
    capsys.readouterr()
    assert main(["status", str(tmp_path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["counts"] == {"lost": 1}
    assert "999999_0" in shown["cells"][0]["cause"]
    assert main(["status", str(tmp_path)]) == 0
    assert "lost: SLURM no longer knows" in capsys.readouterr().out


def test_a_dry_run_checks_and_submits_nothing(
    cluster: PrivateCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_suite(tmp_path, {"good": {}})
    shape = {"gpus": 2, "cpus": 1, "memory_gb": 1, "hours": 2.5}
    profile = write_profile(tmp_path, train={"nodes": 2, **shape}, evaluate=shape)
    assert main(["submit", str(tmp_path), "--cluster", str(profile), "--dry-run"]) == 0
    text = (tmp_path / "jobs" / "dry-run" / "train-1.sh").read_text()
    for line in ("--nodes=2", "--ntasks-per-node=2", "--gres=gpu:2", "--time=2:30:00", "--signal=USR2@120"):
        assert f"#SBATCH {line}\n" in text
    assert "--devices 2 --num-nodes 2" in text
    assert "@" not in text.replace("USR2@120", "")
    text = (tmp_path / "jobs" / "dry-run" / "evaluate-1.sh").read_text()
    assert "--gres=gpu:2\n" in text
    assert "--ntasks-per-node=1\n" in text
    assert "to start at" in capsys.readouterr().out
    assert cluster.run("squeue", "-h") == ""
    assert not (tmp_path / "jobs" / "journal.jsonl").exists()


def test_what_slurm_refuses_is_said_and_can_be_corrected(
    cluster: PrivateCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path, {"good": {}})
    assert submit(tmp_path, partition="nowhere") == 1
    assert "invalid partition specified: nowhere" in capsys.readouterr().err
    assert statuses(suite)["good-0"].state == "waiting"
    assert submit(tmp_path) == 0
    assert main(["status", str(tmp_path), "--watch"]) == 0  # returns when nothing is under way
    assert "1 cell: 1 done" in capsys.readouterr().out
    assert statuses(suite)["good-0"].state == "done"


def test_notation_of_indices() -> None:
    assert slurm.indices("0-2,7%4") == [0, 1, 2, 7]
    assert slurm.indices("[0-6:3,9]") == [0, 3, 6, 9]
    assert slurm.notation([7, 2, 0, 1]) == "0-2,7"


def test_a_job_inside_a_job_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SBATCH_PARTITION", "SRUN_CPUS_PER_TASK", "MASTER_PORT", "RANK", "SLURM_CONF"):
        monkeypatch.setenv(name, "9")
    kept = slurm.environment()
    assert kept["SLURM_CONF"] == "9"
    assert not [name for name in kept if name.startswith(("SLURM_J", "SBATCH", "SRUN", "MASTER")) or name == "RANK"]
