"""The journal of a suite: which sbatch calls were made for it, whatever became of the process that made them.

`jobs/journal.jsonl` next to the suite gets a line with a token before each sbatch, and one with the job id after it.
The token is in the job's name, so that a job whose second line is missing is found by its name.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msbench.cluster import slurm
from msbench.runs.suite import Suite
from msbench.system import bounded
from msbench.system.files import appending


@dataclass
class SbatchCall:
    """One sbatch call."""

    token: str
    name: str  # of the job
    submission: str
    array: str  # "train-1", "evaluate-1", "aggregate"
    elements: list[int] | None  # of the array; None for all
    time: float
    job: int | None = None
    dropped: bool = False  # sbatch never took it


@dataclass
class SbatchJournal:
    """What was submitted for a suite, oldest first."""

    folder: Path
    calls: dict[str, SbatchCall] = field(default_factory=dict)

    @classmethod
    def of(cls, suite: Suite) -> SbatchJournal:
        """Read the journal; lines that a crash left half written are passed over.

        Raises:
            ValueError: If it is no text file, or a whole line of it is none that `announce` and its like write.
        """
        journal = cls(suite.folder / "jobs")
        path = journal.folder / "journal.jsonl"
        lines = bounded.read_text(path).splitlines() if path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                bounded.check_json(line)
                entry = json.loads(line)
            except ValueError:
                continue
            try:
                journal._take(entry)
            except (AttributeError, TypeError, KeyError) as error:
                raise ValueError(f"{path}, line {number}: no line of msbench's: remove it") from error
        return journal

    def _take(self, entry: dict[str, Any]) -> None:
        event, token = entry.pop("event"), entry["token"]
        if event == "submitting":
            self.calls[token] = SbatchCall(**entry)
        elif event == "submitted":
            self.calls[token].job = int(entry["job"])
        else:
            self.calls[token].dropped = True

    def announce(self, board: str, submission: str, array: str, elements: list[int] | None = None) -> SbatchCall:
        """Note a call that is about to be made. Its job name can be neither `bash` nor `interactive`."""
        token = secrets.token_hex(4)
        name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in f"{board}-{array}-{token}")
        call = SbatchCall(token, name, submission, array, elements, time.time())
        self._write({"event": "submitting", **{k: v for k, v in vars(call).items() if k not in ("job", "dropped")}})
        self.calls[token] = call
        return call

    def confirm(self, call: SbatchCall, job: int) -> None:
        call.job = job
        self._write({"event": "submitted", "token": call.token, "job": job})

    def drop(self, call: SbatchCall) -> None:
        call.dropped = True
        self._write({"event": "dropped", "token": call.token})

    def recover(self) -> list[SbatchCall]:
        """Find the jobs of calls whose outcome was never noted; returns those found."""
        found = []
        for call in self.calls.values():
            if call.job is None and not call.dropped:
                job = slurm.job_named(call.name)
                if job is None:
                    self.drop(call)
                else:
                    self.confirm(call, job)
                    found.append(call)
        return found

    def jobs(self) -> list[int]:
        return [call.job for call in self.calls.values() if call.job is not None]

    def latest(self, submission: str, array: str) -> SbatchCall | None:
        """The last call that SLURM took for an array as a whole or in part."""
        taken = [
            c for c in self.calls.values() if c.submission == submission and c.array == array and c.job is not None
        ]
        return taken[-1] if taken else None

    def _write(self, entry: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "journal.jsonl"
        with appending(path) as file:
            # A line that a crash left half written stays by itself, or it would take this one with it.
            file.write(("" if _ends_whole(path) else "\n") + json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - 1))
        return file.read(1) in (b"", b"\n")
