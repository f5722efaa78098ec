"""SLURM's own commands, and what they answer."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

ACTIVE = (
    "PENDING",
    "CONFIGURING",
    "RUNNING",
    "COMPLETING",
    "SUSPENDED",
    "REQUEUED",
    "REQUEUE_HOLD",
    "RESIZING",
    "SIGNALING",
    "STAGE_OUT",
    "STOPPED",
    "SPECIAL_EXIT",
)
# A job that is submitted from inside another must not take that one's shape, ranks or addresses for its own.
SCRUBBED = ("SLURM_", "SBATCH_", "SRUN_", "PMI_", "PMIX_", "OMPI_", "MASTER_")
SCRUBBED_NAMES = ("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE")
KEPT = ("SLURM_CONF",)
ANSWER_SECONDS = 120  # a busy controller takes its time
SACCT = ("sacct", "--allocations", "--noheader", "--parsable2")
Element = tuple[int, int]  # id of the array, index in it


@dataclass(frozen=True)
class ElementState:
    """What SLURM says of one element."""

    state: str  # "RUNNING", "NODE_FAIL", ...
    node: str = ""
    exit_code: str = ""  # "code:signal"
    reason: str = ""
    restarts: int = 0

    @property
    def active(self) -> bool:
        return self.state in ACTIVE and self.reason != "DependencyNeverSatisfied"


def environment() -> dict[str, str]:
    """Ours, without what belongs to the job that we may be in."""
    return {
        key: value
        for key, value in os.environ.items()
        if key in KEPT or not (key.startswith(SCRUBBED) or key in SCRUBBED_NAMES)
    }


def call(*command: str) -> str:
    """What one of SLURM's commands prints.

    Raises:
        FileNotFoundError: If there is no such command here.
        RuntimeError: If it fails, in its own words, or does not answer.
    """
    try:
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no {command[0]} here: run msbench on a login node of the cluster") from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command[0]} gave no answer in {ANSWER_SECONDS} s: see `scontrol ping`") from error
    if done.returncode:
        raise RuntimeError(f"{command[0]} says: {' '.join((done.stderr or done.stdout).split())}")
    return done.stdout + (done.stderr if "--test-only" in command else "")


def configuration() -> dict[str, str]:
    """`scontrol show config` as a dictionary."""
    pairs = (line.partition("=") for line in call("scontrol", "show", "config").splitlines())
    return {key.strip(): value.strip() for key, separator, value in pairs if separator}


def indices(text: str) -> list[int]:
    """The indices of SLURM's notation: "0-2,7%4" -> 0, 1, 2, 7."""
    found: list[int] = []
    for part in text.strip("[]").partition("%")[0].split(","):
        first, _, rest = part.partition("-")
        last, _, step = rest.partition(":")
        found += range(int(first), int(last or first) + 1, int(step or 1))
    return found


def notation(elements: Iterable[int]) -> str:
    """SLURM's notation of some indices: 0, 1, 2, 7 -> "0-2,7"."""
    parts: list[list[int]] = []
    for index in sorted(set(elements)):
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def query(jobs: Iterable[int]) -> dict[Element, ElementState]:
    """Ask sacct, then the controller, then squeue for what they know of some arrays.

    The controller's answer about a job that it still holds is the newest. An element that none of them knows is not in
    the result.
    """
    wanted = sorted(set(jobs))
    if not wanted:
        return {}
    found = _from_sacct(wanted)
    silent = []
    for job in wanted:
        try:
            found |= _from_scontrol(call("scontrol", "--oneliner", "show", "job", str(job)))
        except RuntimeError:
            silent.append(job)  # it has left the controller's memory, or the controller does not answer
    if silent:
        found = _from_squeue(silent) | found
    return found


def _from_sacct(jobs: list[int]) -> dict[Element, ElementState]:
    try:
        chosen = f"--jobs={','.join(map(str, jobs))}"
        text = call(*SACCT, "--format=JobID,State,ExitCode,NodeList", chosen)
    except (RuntimeError, FileNotFoundError):
        return {}  # no accounting here
    found = {}
    for line in text.splitlines():
        name, state, code, node = line.split("|")[:4]
        job, _, index = name.partition("_")
        if index:
            for each in indices(index):
                found[int(job), each] = ElementState(state.split()[0], node.replace("None assigned", ""), code)
    return found


def _from_scontrol(text: str) -> dict[Element, ElementState]:
    found = {}
    for line in text.splitlines():
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        if "ArrayTaskId" not in fields:
            continue
        state = ElementState(
            state=fields["JobState"],
            node=fields.get("NodeList", "").replace("(null)", ""),
            exit_code=fields.get("ExitCode", ""),
            reason=fields.get("Reason", "").replace("None", ""),
            restarts=int(fields.get("Restarts", 0)),
        )
        for index in indices(fields["ArrayTaskId"]):
            found[int(fields["ArrayJobId"]), index] = state
    return found


def _from_squeue(jobs: list[int]) -> dict[Element, ElementState]:
    try:
        chosen = f"--jobs={','.join(map(str, jobs))}"
        text = call("squeue", "--noheader", "--array", "--states=all", "--format=%F|%K|%T|%N|%r", chosen)
    except RuntimeError:
        return {}
    rows = (line.split("|") for line in text.splitlines())
    return {(int(row[0]), int(row[1])): ElementState(row[2], row[3], "", row[4]) for row in rows if row[1].isdigit()}


def job_named(name: str) -> int | None:
    """The id of the job of a name, as far as SLURM remembers.

    Raises:
        RuntimeError: If the controller does not answer.
    """
    text = call("squeue", "--noheader", "--states=all", "--format=%F", f"--name={name}")
    if not text.strip():
        with contextlib.suppress(RuntimeError, FileNotFoundError):
            text = call(*SACCT, "--format=JobID", f"--name={name}")
    return int(text.split()[0].partition("_")[0]) if text.strip() else None
