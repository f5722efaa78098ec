"""A submission: one plan as it was handed to SLURM, in a folder of scripts, lists of cells, logs and plan.json."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msbench.cluster import scripts, slurm
from msbench.cluster.journal import SbatchCall, SbatchJournal
from msbench.cluster.plan import Plan, Stage
from msbench.cluster.profile import Profile
from msbench.system import bounded
from msbench.system.files import write_json
from msbench.system.names import plain_name
from msbench.system.wording import counted

Say = Callable[[str], None]
AGGREGATE = "aggregate"  # the job that builds the board, after all arrays


@dataclass(frozen=True)
class SubmittedArray:
    """One stage of several cells, by name: element i does the cell at place i."""

    name: str
    stage: Stage
    cells: tuple[str, ...]
    after: str | None = None  # the array whose element i must end well before element i of this one starts

    def log(self, folder: Path, index: int) -> Path:
        """The log of an element, which `scripts.write_array` has named."""
        return folder / "logs" / f"{self.name}_{index}.log"


@dataclass(frozen=True)
class Submission:
    """What stands in the plan.json of one folder of `jobs/`."""

    folder: Path
    arrays: tuple[SubmittedArray, ...]
    abandoned: bool = False  # SLURM refused a part of it, whose cells are planned afresh

    @property
    def name(self) -> str:
        return self.folder.name

    @classmethod
    def create(cls, plan: Plan, profile: Profile) -> Submission:
        """Write a folder for a plan: plan.json last, so that a folder without one was never submitted from."""
        number = 1
        while True:
            folder = jobs_folder(plan.suite.folder) / f"{number:04}"
            try:
                (folder / "logs").mkdir(parents=True)
                break
            except FileExistsError:
                number += 1
        scripts.write_all(plan, profile, folder)
        arrays = (
            SubmittedArray(array.name, array.stage, tuple(cell.name for cell in array.cells), array.after)
            for array in plan.arrays
        )
        submission = cls(folder, tuple(arrays))
        submission._write()
        return submission

    @classmethod
    def read(cls, folder: Path) -> Submission:
        """Read a folder's plan.json.

        Raises:
            ValueError: If it is not what `create` writes.
        """
        path = folder / "plan.json"
        try:
            content: dict[str, Any] = bounded.read_json(path)
            arrays = tuple(
                SubmittedArray(each["name"], each["stage"], tuple(each["cells"]), each["after"])
                for each in content["arrays"]
            )
            for array in arrays:
                plain_name(array.name, "array")  # scripts and logs are called so
                for text in (array.stage, *array.cells, array.after or ""):
                    if not isinstance(text, str):
                        raise TypeError("a name is no text")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not the plan of a submission: remove {folder} and submit again") from error
        return cls(folder, arrays, bool(content.get("abandoned")))

    def latest(self, journal: SbatchJournal, array: str) -> SbatchCall | None:
        """The last call that SLURM took for an array, as a whole or in part."""
        return journal.latest(self.name, array)

    def send(
        self, journal: SbatchJournal, board: str, say: Say, elements: Mapping[str, list[int]] | None = None
    ) -> list[int]:
        """Call sbatch for each array, then for the job that builds the board.

        Args:
            journal: Where each call is noted.
            board: Name of the board, which the jobs' names begin with.
            say: Called with a sentence for each job.
            elements: {array: indices} to submit again; None to submit what has not been yet.

        Returns:
            Ids of the jobs.

        Raises:
            RuntimeError: If SLURM refuses a job; what it has taken before stays.
        """
        jobs: dict[str, int] = {}
        for array in self.arrays:
            name, part, options = array.name, None, []
            if elements is None:
                before = self.latest(journal, name)
                if before is not None:
                    jobs[name] = before.job or 0
                    continue
            else:
                part = elements.get(name)
                if not part:
                    continue
                options.append(f"--array={slurm.notation(part)}")
            if array.after in jobs:
                options += [f"--dependency=aftercorr:{jobs[array.after]}", "--kill-on-invalid-dep=yes"]
            call = journal.announce(board, self.name, name, part)
            jobs[name] = self._sbatch(journal, call, options)
            say(f"job {jobs[name]}: {name}, {counted(len(part or array.cells), 'cell')}")
        after = ":".join(str(job) for job in jobs.values())
        call = journal.announce(board, self.name, AGGREGATE)
        jobs[AGGREGATE] = self._sbatch(journal, call, [f"--dependency=afterany:{after}"])
        say(f"job {jobs[AGGREGATE]}: the board, after all of them")
        return list(jobs.values())

    def abandon(self, journal: SbatchJournal) -> None:
        """Forget the arrays that SLURM refused: with another profile, their cells are planned afresh."""
        taken = tuple(array for array in self.arrays if self.latest(journal, array.name))
        replace(self, arrays=taken, abandoned=True)._write()

    def elements(self, stages: Mapping[str, str]) -> dict[str, list[int]]:
        """{array: indices} that do these cells from {cell: stage} on: of a training, its evaluation too."""
        found = {}
        for array in self.arrays:
            wanted = [
                index
                for index, cell in enumerate(array.cells)
                if cell in stages and (array.stage == "evaluate" or stages[cell] == "train")
            ]
            if wanted:
                found[array.name] = wanted
        return found

    def _sbatch(self, journal: SbatchJournal, call: SbatchCall, options: list[str]) -> int:
        script = os.fspath(self.folder / f"{call.array}.sh")
        try:
            answer = slurm.call("sbatch", "--parsable", f"--job-name={call.name}", *options, script)
        except RuntimeError:
            journal.drop(call)
            raise
        job = int(answer.split(";")[0])
        journal.confirm(call, job)
        return job

    def _write(self) -> None:
        arrays = [
            {"name": array.name, "stage": array.stage, "after": array.after, "cells": list(array.cells)}
            for array in self.arrays
        ]
        content = {"arrays": arrays, **({"abandoned": True} if self.abandoned else {})}
        write_json(self.folder / "plan.json", content)


def jobs_folder(board: Path) -> Path:
    """Where the submissions of a suite lie: next to its file, in the board's folder."""
    return board / "jobs"


def submissions(board: Path) -> Iterator[Submission]:
    """The submissions of a suite, oldest first."""
    jobs = jobs_folder(board)
    names = sorted(entry.name for entry in os.scandir(jobs) if entry.name.isdigit()) if jobs.is_dir() else []
    for name in names:
        if (jobs / name / "plan.json").exists():
            yield Submission.read(jobs / name)
