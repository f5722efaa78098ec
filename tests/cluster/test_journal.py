"""The journal of sbatch calls: what a crash leaves half written, and jobs whose ids were never noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.cluster import slurm
from msbench.cluster.journal import SbatchJournal
from msbench.runs.suite import Suite, read_suite


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "suite.yaml").write_text("datasets: [demo]\nmodels: [mixture]\n")
    return read_suite(tmp_path)


def test_calls_are_kept_with_what_became_of_them(suite: Suite) -> None:
    journal = SbatchJournal.of(suite)
    taken = journal.announce("a board/é", "0001", "train-1", [0, 2])
    journal.confirm(taken, 12)
    refused = journal.announce("a board/é", "0001", "evaluate-1")
    journal.drop(refused)
    again = SbatchJournal.of(suite)
    assert again.calls == journal.calls
    assert again.jobs() == [12]
    assert again.latest("0001", "train-1") == taken
    assert again.latest("0001", "evaluate-1") is None
    assert taken.name == f"a_board_é-train-1-{taken.token}"


def test_a_line_that_a_crash_left_half_written_is_passed_over(suite: Suite) -> None:
    journal = SbatchJournal.of(suite)
    call = journal.announce("small", "0001", "train-1")
    with (suite.folder / "jobs" / "journal.jsonl").open("a") as file:
        file.write('{"event": "submitted", "tok')
    journal = SbatchJournal.of(suite)
    assert journal.calls == {call.token: call}
    second = journal.announce("small", "0001", "evaluate-1")  # not on the same line
    journal.confirm(second, 3)
    assert SbatchJournal.of(suite).calls == {call.token: call, second.token: second}


def test_jobs_that_were_never_noted_are_found_by_name(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SbatchJournal.of(suite)
    known, unknown = journal.announce("small", "0001", "train-1"), journal.announce("small", "0001", "evaluate-1")
    monkeypatch.setattr(slurm, "job_named", {known.name: 7}.get)
    assert SbatchJournal.of(suite).recover() == [SbatchJournal.of(suite).calls[known.token]]
    found = SbatchJournal.of(suite).calls
    assert (found[known.token].job, found[unknown.token].dropped) == (7, True)
