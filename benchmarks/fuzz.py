"""Strangers' files by the thousand: what the tests in tests/hostile try by the hundred, in a loop.

Files are read in a child process, which is started anew after whatever ends it: a crash, a case above 10 s, or memory
above the limit. A whole command has a process of its own, forked where torch is imported already, and a copy of a scene
to work in. Next to what a case may write, nothing may change.

    python -m benchmarks.fuzz --minutes 60 [--seed 0] [--kinds "audio,record,board build"]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from msbench.cli.app import main as main_of_msbench
from msbench.model.checkpoints import Checkpoint
from msbench.system.memory import resident_bytes
from tests.hostile.cases import KINDS, prepare, refusal
from tests.hostile.commands import COMMANDS, state, write_checkpoint, write_scene
from tests.hostile.mutations import mutated_bytes, mutated_checkpoint
from tests.hostile.pickles import checkpoints

SECONDS = 10  # of processor time of a case, above which it hangs
WALL = 6  # times as long it may take on a busy machine
MEMORY = 2**30  # bytes that a case may take in addition to what its process held before
ADDRESSES = 4 * 2**30  # bytes of addresses in addition; a case that asks for more is refused by the system
OFTEN = 20  # cases that read a file alone take milliseconds
SELDOM = 10  # a command that starts Python processes runs in one round of so many
CANARY = "canary"
SCENE = "commands/scene"  # where a whole command works
HEAVY = ("msbench.training.fit", "msbench.leaderboard.publish", "msbench.conformance.checks", "msbench.cluster.submit")
HEAVY += ("msbench.benchmarking", "msbench.evaluation.folder", "msbench.separation.batch", "msbench.data.upkeep.verify")
ENDS = {0: "read", 1: "failed", 2: "refused"}


def checkpoint(rng: random.Random, folder: Path) -> None:
    """One of the files that are given as checkpoints, as it is or with changes, or a good one with changes."""
    good, *odd = _checkpoints(folder)
    if rng.random() < 0.7:
        content = mutated_checkpoint(good, rng, folder.parent / CANARY)
    else:
        content = rng.choice(odd)
        for _ in range(rng.choice((0, 1, 1, 2))):
            content = mutated_bytes(content, rng) or b"P"
    path = folder / "odd.ckpt"
    path.write_bytes(content)
    Checkpoint.read(path).separator()


def _checkpoints(folder: Path, made: dict[Path, list[bytes]] = {}) -> list[bytes]:  # noqa: B006  # made once
    if folder not in made:
        write_checkpoint(folder / "good.ckpt")
        made[folder] = [(folder / "good.ckpt").read_bytes(), *checkpoints(folder.parent / CANARY).values()]
    return made[folder]


ALL: dict[str, Callable[[random.Random, Path], None]] = {**KINDS, "checkpoint": checkpoint}


def child(pipe: Connection, folder: Path) -> None:
    """Run each case that is asked for, (kind, seed), and tell what came of it."""
    os.chdir(folder)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (held + ADDRESSES, held + ADDRESSES))
        while True:
            kind, seed = pipe.recv()
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
            before, started = resident_bytes() or 0, time.process_time()
            case = partial(ALL[kind], random.Random(seed), folder)
            try:
                came = "read" if refusal(case) is None else "refused"
            except Exception:
                came = traceback.format_exc()
            pipe.send((came if time.process_time() - started < SECONDS else "hang", peak() - before))


def peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


class Child:
    """A process that runs cases, and its end of the pipe."""

    def __init__(self, folder: Path) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=child, args=(theirs, folder), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, kind: str, seed: int) -> tuple[str, int]:
        self.pipe.send((kind, seed))
        try:
            return self.pipe.recv() if self.pipe.poll(SECONDS * WALL) else ("hang", 0)
        except EOFError:
            self.process.join()
            return f"the process ended with {self.process.exitcode}", 0

    def end(self) -> None:
        self.process.kill()
        self.process.join()


def listing(root: Path, folder: Path) -> dict[Path, bytes]:
    """What lies in the watched folder but outside that of the cases."""
    inner = (folder, root / "commands")
    files = [path for path in root.rglob("*") if path.is_file() and not any(map(path.is_relative_to, inner))]
    return {path: path.read_bytes() for path in files}


class Scenes:
    """Whole commands, each in a forked process and a fresh copy of the scene."""

    def __init__(self, root: Path) -> None:
        self.template, self.folder = root / "template", root / "scene"
        self.template.mkdir(parents=True)
        write_scene(self.template)
        for module in HEAVY:  # once, here, and not in each process
            importlib.import_module(module)

    def run(self, kind: str, seed: int) -> tuple[str, int, list[str]]:
        """What came of a case, the memory it took, and what it changed that it may not."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder)
        before, held = self.folder / "before.json", {"bytes": 0, "files": {}}
        process = os.fork()
        if process == 0:
            os._exit(self._case(kind, seed, before))
        ended, taken = _wait(process)
        log = self.folder.with_name("log")
        said = log.read_text("utf-8", "replace")
        changed = []
        if ended not in ENDS.values():
            came = f"{ended}: {said[-3000:]}"
        elif "Traceback (" in said or "a bug in msbench" in said:
            came = said[-3000:]
        else:
            came = ended
        if before.is_file():
            held = json.loads(before.read_text())
            files, now = held["files"], _state(self.folder, kind)
            changed = [name for name in files.keys() | now.keys() if files.get(name) != now.get(name)]
        return came, taken - held["bytes"], changed

    def _case(self, kind: str, seed: int, before: Path) -> int:
        os.setsid()
        os.chdir(self.folder)
        log = os.open(self.folder.with_name("log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.environ["MSBENCH_PLUGINS"] = str(self.folder / "plugins")
        os.environ["PATH"] = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (held + ADDRESSES, held + ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        try:
            arguments = COMMANDS[kind].arrange(random.Random(seed))
            before.write_text(json.dumps({"bytes": resident_bytes() or 0, "files": _state(self.folder, kind)}))
            print(arguments, flush=True)
            return main_of_msbench(arguments)
        except SystemExit as error:  # of argparse
            return int(error.code or 0)
        except BaseException:
            traceback.print_exc()
            return 3
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def _state(folder: Path, kind: str) -> dict[str, str]:
    held = state(folder, (*COMMANDS[kind].writes, "before.json", CANARY))
    return {name: repr(hash(content)) for name, content in held.items()}


def _wait(process: int) -> tuple[str, int]:
    """How a process ended, and the most memory that it or one of its own took."""
    end = time.monotonic() + SECONDS * WALL
    while time.monotonic() < end:
        ended, status, usage = os.wait4(process, os.WNOHANG)
        if ended:
            _end_group(process)
            code = os.waitstatus_to_exitcode(status)
            came = "hang" if code == -signal.SIGXCPU else ENDS.get(code, f"the process ended with {code}")
            return came, usage.ru_maxrss * 1024
        time.sleep(0.01)
    _end_group(process)
    os.wait4(process, 0)
    return "hang", 0


def _end_group(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # of the session that the case began
        os.killpg(process, signal.SIGKILL)


def fuzz(minutes: float, seed: int, kinds: list[str]) -> int:
    """Run cases until the time is over, print what came of them, and count the faults."""
    faults: Counter[str] = Counter()
    cases: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        folder = root / "cases"
        folder.mkdir()
        (root / "precious.txt").write_text("years of work")
        prepare(folder)
        scenes = Scenes(root / "commands") if set(kinds) & COMMANDS.keys() else None
        before, running, largest, slowest = listing(root, folder), Child(folder), 0, 0.0
        end, number = time.monotonic() + 60 * minutes, seed
        turns = [kind for kind in kinds for _ in range(1 if kind in COMMANDS else OFTEN)]
        while time.monotonic() < end:
            kind, number = turns[number % len(turns)], number + 1
            changed: list[str] = []
            started = time.monotonic()
            if kind in COMMANDS and scenes is not None:
                if COMMANDS[kind].is_slow and number // len(turns) % SELDOM:
                    continue
                came, taken, changed = scenes.run(kind, number)
            else:
                came, taken = running.run(kind, number)
            slowest, largest = max(slowest, time.monotonic() - started), max(largest, taken)
            found = {
                "hangs above 10 s": came.startswith("hang"),
                "crashes": came.startswith("the process ended"),
                "tracebacks": not came.startswith(("read", "refused", "failed", "hang", "the process ended")),
                "memory above 1 GB": taken > MEMORY,
                "code executed": any((place / CANARY).exists() for place in (root, folder, root / SCENE)),
                "files outside": bool(changed) or listing(root, folder) != before,
            }
            cases[kind, came if came in ENDS.values() else "fault"] += 1
            for fault in (each for each, is_one in found.items() if is_one):
                faults[fault] += 1
                print(f"{fault}: {kind}, seed {number}: {changed or ''} {came}", flush=True)
            if any(found.values()):
                running.end()
                (root / CANARY).unlink(missing_ok=True)
                (folder / CANARY).unlink(missing_ok=True)
                before, running = listing(root, folder), Child(folder)
        running.end()
    for kind in kinds:
        counts = {came: cases[kind, came] for came in (*ENDS.values(), "fault")}
        print(f"{kind:<20} {sum(counts.values()):>8,} cases", *(f"{n:>8,} {came}" for came, n in counts.items()))
    for fault in found:
        print(f"{faults[fault]:>8} {fault}")
    print(f"slowest case {slowest:.1f} s, most memory {largest / 2**20:.0f} MiB")
    return sum(faults.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join((*ALL, *COMMANDS)))
    options = parser.parse_args()
    torch.set_num_threads(1)  # a forked process would wait for the threads of this one
    return int(fuzz(options.minutes, options.seed, options.kinds.split(",")) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
