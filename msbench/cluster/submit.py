"""Submits the plan of a suite to SLURM, and submits parts of it again."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msbench.cluster import scripts, slurm
from msbench.cluster.journal import Journal
from msbench.cluster.plan import Plan, make_plan, missing_cells
from msbench.cluster.profile import Profile
from msbench.cluster.status import BUSY, CellStatus, look_at
from msbench.runs.failures import RETRIED
from msbench.runs.suite import Suite
from msbench.system.files import write_json

Say = Callable[[str], None]


def submit(suite: Suite, profile: Profile, say: Say = print, dry_run: bool = False) -> list[int]:
    """Submit every cell that has no record and is not under way. Finishes an interrupted submission first.

    Args:
        suite: The suite.
        profile: How the cluster wants its jobs.
        say: Called with a sentence at each step.
        dry_run: Write the scripts to `jobs/dry-run` and let sbatch check them; nothing is submitted.

    Returns:
        Ids of the jobs.

    Raises:
        FileNotFoundError: If there is no SLURM here.
        RuntimeError: If SLURM refuses a job; the message is its own.
    """
    limit = _longest_array(profile)
    if dry_run:
        return _check(make_plan(suite, None, profile.train, profile.evaluate, limit), profile, say)
    journal = Journal.of(suite)
    for found in journal.recover():
        say(f"found job {found.job} ({found.name}), submitted by a process that ended before it could note it")
    jobs = _finish(journal, suite, say)
    busy = {each.name for each in look_at(suite, journal) if each.state in BUSY} if journal.calls else set()
    cells = [cell for cell in missing_cells(suite) if cell.name not in busy]
    if not cells:
        say(f"nothing to submit: {len(busy)} cells are under way, the others have their records")
        return jobs
    plan = make_plan(suite, cells, profile.train, profile.evaluate, limit)
    name = _write(plan, profile, journal)
    try:
        return jobs + _send(journal, suite, name, journal.submissions()[name], say)
    except RuntimeError:
        _abandon(journal, name)
        raise


def retry(suite: Suite, say: Say = print) -> list[int]:
    """Submit again what infrastructure broke, as the same elements of the same arrays; never what the code broke.

    Returns:
        Ids of the jobs; empty where there is nothing to try again.

    Raises:
        RuntimeError: If SLURM refuses a job.
    """
    journal = Journal.of(suite)
    journal.recover()
    broken = [each for each in look_at(suite, journal) if each.state in ("failed", "lost")]
    again = [each for each in broken if each.kind in RETRIED and each.submission]
    for each in broken:
        if each not in again:
            say(f"left alone: {each.name}: {each.cause}")
    by_submission: dict[str, list[CellStatus]] = defaultdict(list)
    for each in again:
        by_submission[each.submission].append(each)
    jobs = []
    for submission, statuses in by_submission.items():
        content = journal.submissions()[submission]
        jobs += _send(journal, suite, submission, content, say, _elements(content, statuses))
    if not again:
        say("nothing to try again")
    return jobs


def cancel(suite: Suite, names: Iterable[str] = ()) -> list[str]:
    """Cancel what is under way: all of it, or some cells. Returns what scancel was given."""
    journal = Journal.of(suite)
    journal.recover()
    chosen = set(names)
    busy = [each for each in look_at(suite, journal) if each.state in BUSY and (not chosen or each.name in chosen)]
    if chosen:
        targets = [f"{job}_{index}" for each in busy for job, index in each.elements]
    else:
        targets = [str(job) for job in journal.jobs()]
    for start in range(0, len(targets), 500):
        # Ids that SLURM no longer knows make it fail after it has cancelled the others.
        with contextlib.suppress(RuntimeError):
            slurm.call("scancel", *targets[start : start + 500])
    return targets


def _longest_array(profile: Profile) -> int:
    most = int(slurm.configuration().get("MaxArraySize", "1001"))
    return min(most, profile.array_limit or most)  # indices 0 to MaxArraySize - 1


def _write(plan: Plan, profile: Profile, journal: Journal) -> str:
    """Write a submission's folder: plan.json last, so that a folder without one was never submitted from."""
    number = 1
    while True:
        folder = journal.folder / f"{number:04}"
        try:
            (folder / "logs").mkdir(parents=True)
            break
        except FileExistsError:
            number += 1
    _write_scripts(plan, profile, folder)
    arrays = [
        {"name": a.name, "stage": a.stage, "after": a.after, "cells": [cell.name for cell in a.cells]}
        for a in plan.arrays
    ]
    write_json(folder / "plan.json", {"arrays": arrays})
    return folder.name


def _write_scripts(plan: Plan, profile: Profile, folder: Path) -> None:
    for array in plan.arrays:
        scripts.write_array(array, plan.suite, profile, folder)
    scripts.write_aggregate(plan.suite, profile, folder)


def _check(plan: Plan, profile: Profile, say: Say) -> list[int]:
    folder = plan.suite.folder / "jobs" / "dry-run"
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.sh"), *folder.glob("*.cells")):
        old.unlink()
    _write_scripts(plan, profile, folder)
    for array in plan.arrays:
        where = f" after {array.after}" if array.after else ""
        say(f"{array.name}: {len(array.cells)} cells{where}; {array.resources}")
    say(f"in {folder}:")
    for script in sorted(folder.glob("*.sh")):
        answer = slurm.call("sbatch", "--test-only", str(script))
        say(f"{script.name}: {' '.join(answer.replace('sbatch:', '').split())}")
    return []


def _finish(journal: Journal, suite: Suite, say: Say) -> list[int]:
    """Submit what an interrupted process has left of the last submission."""
    submissions = journal.submissions()
    if not submissions:
        return []
    name, content = list(submissions.items())[-1]
    if content.get("abandoned") or journal.latest(name, "aggregate") is not None:
        return []
    say(f"submission {name} was interrupted: going on with it")
    try:
        return _send(journal, suite, name, content, say)
    except RuntimeError:
        _abandon(journal, name)
        raise


def _abandon(journal: Journal, submission: str) -> None:
    """Forget the arrays that SLURM refused: with another profile, their cells are planned afresh."""
    content = journal.submissions()[submission]
    content["arrays"] = [array for array in content["arrays"] if journal.latest(submission, array["name"])]
    write_json(journal.folder / submission / "plan.json", {**content, "abandoned": True})


def _send(
    journal: Journal, suite: Suite, submission: str, content: dict[str, Any], say: Say,
    elements: dict[str, list[int]] | None = None,
) -> list[int]:  # fmt: skip
    """Call sbatch for each array of a submission, then for its aggregation.

    Args:
        elements: {array: indices} to submit again; None to submit what has not been yet.
    """
    folder = journal.folder / submission
    jobs: dict[str, int] = {}
    for array in content["arrays"]:
        name, part = array["name"], None
        before = journal.latest(submission, name)
        if elements is None and before is not None:
            jobs[name] = before.job or 0
            continue
        options = []
        if elements is not None:
            part = elements.get(name)
            if not part:
                continue
            options.append(f"--array={slurm.notation(part)}")
        if array["after"] in jobs:
            options += [f"--dependency=aftercorr:{jobs[array['after']]}", "--kill-on-invalid-dep=yes"]
        jobs[name] = _sbatch(journal, suite, submission, name, options, part, folder)
        say(f"job {jobs[name]}: {name}, {len(part or array['cells'])} cells")
    after = ":".join(str(job) for job in jobs.values())
    jobs["aggregate"] = _sbatch(
        journal, suite, submission, "aggregate", [f"--dependency=afterany:{after}"], None, folder
    )  # fmt: skip
    say(f"job {jobs['aggregate']}: the board, after all of them")
    return list(jobs.values())


def _sbatch(
    journal: Journal, suite: Suite, submission: str, array: str, options: list[str], part: list[int] | None,
    folder: Path,
) -> int:  # fmt: skip
    announced = journal.announce(suite.board, submission, array, part)
    try:
        answer = slurm.call(
            "sbatch", "--parsable", f"--job-name={announced.name}", *options, os.fspath(folder / f"{array}.sh")
        )
    except RuntimeError:
        journal.drop(announced)
        raise
    job = int(answer.split(";")[0])
    journal.confirm(announced, job)
    return job


def _elements(content: dict[str, Any], statuses: list[CellStatus]) -> dict[str, list[int]]:
    """The elements to submit again: of a training, its evaluation too."""
    stages = {each.name: each.stage for each in statuses}
    found: dict[str, list[int]] = {}
    for array in content["arrays"]:
        wanted = [
            index
            for index, cell in enumerate(array["cells"])
            if cell in stages and (array["stage"] == "evaluate" or stages[cell] == "train")
        ]
        if wanted:
            found[array["name"]] = wanted
    return found
