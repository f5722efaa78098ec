"""Strangers' files by the thousand: what the tests in tests/hostile try by the hundred, in a loop.

Cases run in a child process, which is started anew after whatever ends it: a crash, a case above 10 s, or memory above
the limit. Each case has a folder of its own within a watched one, next to which nothing may change.

    python -m benchmarks.fuzz --minutes 60 [--seed 0] [--kinds audio,record]
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import resource
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from msbench.model.checkpoints import Checkpoint
from msbench.system.memory import resident_bytes
from tests.hostile.cases import KINDS, prepare, refusal
from tests.hostile.mutations import mutated_bytes
from tests.hostile.pickles import checkpoints

SECONDS = 10.0  # of a case, above which it hangs
MEMORY = 2**30  # bytes that a case may take in addition to what its process held before
ADDRESSES = 4 * 2**30  # bytes of addresses in addition; a case that asks for more is refused by the system
CANARY = "canary"


def checkpoint(rng: random.Random, folder: Path) -> None:
    """One of the files that are given as checkpoints, as it is or with changes."""
    content = rng.choice(_checkpoints(folder))
    for _ in range(rng.choice((0, 1, 1, 2))):
        content = mutated_bytes(content, rng) or b"P"
    path = folder / "odd.ckpt"
    path.write_bytes(content)
    Checkpoint.read(path).separator()


def _checkpoints(folder: Path, made: dict[Path, list[bytes]] = {}) -> list[bytes]:  # noqa: B006  # made once
    if folder not in made:
        made[folder] = list(checkpoints(folder.parent / CANARY).values())
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
            before = resident_bytes() or 0
            case = partial(ALL[kind], random.Random(seed), folder)
            try:
                came = "read" if refusal(case) is None else "refused"
            except Exception:
                came = traceback.format_exc()
            pipe.send((came, peak() - before))


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
            return self.pipe.recv() if self.pipe.poll(SECONDS) else ("hang", 0)
        except EOFError:
            self.process.join()
            return f"the process ended with {self.process.exitcode}", 0

    def end(self) -> None:
        self.process.kill()
        self.process.join()


def listing(root: Path, folder: Path) -> dict[Path, bytes]:
    """What lies in the watched folder but outside that of the cases."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_relative_to(folder)]
    return {path: path.read_bytes() for path in files}


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
        before, running, largest, slowest = listing(root, folder), Child(folder), 0, 0.0
        end, number = time.monotonic() + 60 * minutes, seed
        while time.monotonic() < end:
            kind, number = kinds[number % len(kinds)], number + 1
            started = time.monotonic()
            came, taken = running.run(kind, number)
            slowest, largest = max(slowest, time.monotonic() - started), max(largest, taken)
            found = {
                "hangs above 10 s": came == "hang",
                "crashes": came not in ("read", "refused", "hang"),
                "memory above 1 GB": taken > MEMORY,
                "code executed": (root / CANARY).exists() or (folder / CANARY).exists(),
                "files outside": listing(root, folder) != before,
            }
            cases[kind, came if came in ("read", "refused") else "fault"] += 1
            for fault in (each for each, is_one in found.items() if is_one):
                faults[fault] += 1
                print(f"{fault}: {kind}, seed {number}: {came}", flush=True)
            if any(found.values()):
                running.end()
                before, running = listing(root, folder), Child(folder)
        running.end()
    for kind in kinds:
        counts = {came: cases[kind, came] for came in ("read", "refused", "fault")}
        print(f"{kind:<14} {sum(counts.values()):>8,} cases", *(f"{n:>8,} {came}" for came, n in counts.items()))
    for fault in ("crashes", "hangs above 10 s", "memory above 1 GB", "files outside", "code executed"):
        print(f"{faults[fault]:>8} {fault}")
    print(f"slowest case {slowest:.1f} s, most memory {largest / 2**20:.0f} MiB")
    return sum(faults.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(ALL))
    options = parser.parse_args()
    return int(fuzz(options.minutes, options.seed, options.kinds.split(",")) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
