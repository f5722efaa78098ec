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
from typing import Any, BinaryIO

from msbench.cluster import slurm
from msbench.runs.suite import Suite


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
        """Read the journal; lines that a crash left half written are passed over."""
        journal = cls(suite.folder / "jobs")
        path = journal.folder / "journal.jsonl"
        for line in path.read_text("utf-8").splitlines() if path.exists() else []:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            event = entry.pop("event")
            if event == "submitting":
                journal.calls[entry["token"]] = SbatchCall(**entry)
            elif event == "submitted":
                journal.calls[entry["token"]].job = entry["job"]
            else:
                journal.calls[entry["token"]].dropped = True
        return journal

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
        with (self.folder / "journal.jsonl").open("ab+") as file:
            whole = file.tell() == 0 or _last_byte(file) == b"\n"
            # A line that a crash left half written stays by itself, or it would take this one with it.
            file.write(("" if whole else "\n").encode() + json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)
