"""Submits the plan of a suite to SLURM, and submits parts of it again."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from msbench.cluster import scripts, slurm
from msbench.cluster.journal import SbatchJournal
from msbench.cluster.plan import Plan, make_plan, missing_cells
from msbench.cluster.profile import Profile
from msbench.cluster.settings import check_settings
from msbench.cluster.status import BUSY, statuses_of
from msbench.cluster.submission import AGGREGATE, Say, Submission, jobs_folder, submissions
from msbench.runs.failures import RETRIED
from msbench.runs.suite import Suite
from msbench.system.errors import located
from msbench.system.files import refuse_links
from msbench.system.names import inside
from msbench.system.wording import counted, did_you_mean


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
        ValueError: If a cell has no such setting as the suite gives it.
    """
    longest = _longest_array(profile)
    with located(str(suite.path)):
        check_settings(missing_cells(suite))
    if dry_run:
        _check(make_plan(suite, None, profile.train, profile.evaluate, longest), profile, say)
        return []
    journal = SbatchJournal.of(suite)
    for found in journal.recover():
        say(f"found job {found.job} ({found.name}), submitted by a process that ended before it could note it")
    jobs = _finish(journal, suite, say)
    busy = {each.name for each in statuses_of(suite, journal) if each.state in BUSY} if journal.calls else set()
    cells = [cell for cell in missing_cells(suite) if cell.name not in busy]
    if not cells:
        say(f"nothing to submit: {len(busy)} cells are under way, the others have their records")
        return jobs
    plan = make_plan(suite, cells, profile.train, profile.evaluate, longest)
    return jobs + _send(Submission.create(plan, profile), journal, suite, say)


def retry(suite: Suite, say: Say = print) -> list[int]:
    """Submit again what infrastructure broke, as the same elements of the same arrays; never what the code broke.

    Returns:
        Ids of the jobs; empty where there is nothing to try again.

    Raises:
        RuntimeError: If SLURM refuses a job.
    """
    journal = SbatchJournal.of(suite)
    journal.recover()
    broken = [each for each in statuses_of(suite, journal) if each.state in ("failed", "lost")]
    again = [each for each in broken if each.kind in RETRIED and each.submission]
    for each in broken:
        if each not in again:
            say(f"left alone: {each.name}: {each.cause}")
    jobs = []
    for submission in submissions(suite.folder):
        stages = {each.name: each.stage for each in again if each.submission == submission.name}
        if stages:
            jobs += submission.send(journal, suite.board, say, submission.elements(stages))
    if not again:
        say("nothing to try again")
    return jobs


def cancel(suite: Suite, names: Sequence[str] = ()) -> list[str]:
    """Cancel what is under way: all of it, or some cells.

    Returns:
        What scancel was given.

    Raises:
        ValueError: If the suite has no cell of a name.
    """
    known = [cell.name for cell in suite.cells]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"{suite.path} has no cell '{name}'. {hint}`msbench status` lists them")
    journal = SbatchJournal.of(suite)
    journal.recover()
    chosen = set(names)
    busy = [each for each in statuses_of(suite, journal) if each.state in BUSY and (not chosen or each.name in chosen)]
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


def _check(plan: Plan, profile: Profile, say: Say) -> None:
    """Write the scripts of a plan to jobs/dry-run, and let sbatch say when they would start."""
    folder = inside(plan.suite.folder, jobs_folder(plan.suite.folder).name, "dry-run")
    refuse_links(folder)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for old in [path for path in folder.glob("*.sh") if scripts.is_ours(path)]:
        old.unlink()
        old.with_suffix(".cells").unlink(missing_ok=True)
    scripts.write_all(plan, profile, folder)
    for array in plan.arrays:
        where = f" after {array.after}" if array.after else ""
        say(f"{array.name}: {counted(len(array.cells), 'cell')}{where}; {array.resources}")
    say(f"in {folder}:")
    for script in sorted(filter(scripts.is_ours, folder.glob("*.sh"))):
        answer = slurm.call("sbatch", "--test-only", str(script))
        say(f"{script.name}: {' '.join(answer.replace('sbatch:', '').split())}")


def _finish(journal: SbatchJournal, suite: Suite, say: Say) -> list[int]:
    """Submit what an interrupted process has left of the last submission."""
    last = next(reversed([*submissions(suite.folder)]), None)
    if last is None or last.abandoned or last.latest(journal, AGGREGATE) is not None:
        return []
    say(f"submission {last.name} was interrupted: going on with it")
    return _send(last, journal, suite, say)


def _send(submission: Submission, journal: SbatchJournal, suite: Suite, say: Say) -> list[int]:
    try:
        return submission.send(journal, suite.board, say)
    except RuntimeError:
        submission.abandon(journal)
        raise
