"""How soon the commands that need no tensor answer, next to an empty Python: wall and processor time.

python benchmarks/start_up.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

RUNS = 7
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import msbench": ["-c", "import msbench"],
    "msbench --help": ["-m", "msbench.cli", "--help"],
    "msbench list models": ["-m", "msbench.cli", "list", "models"],
    "msbench list recipes": ["-m", "msbench.cli", "list", "recipes"],
}


def timed(arguments: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):  # in turns, so that whatever else the machine does meets all of them
        for name, arguments in COMMANDS.items():
            times[name].append(timed(arguments))
    print(f"{'':<22} {'wall median':>12} {'lowest':>8} {'processor median':>18}   ({RUNS} runs, seconds)")
    for name, runs in times.items():
        wall, processor = zip(*runs, strict=True)
        print(f"{name:<22} {statistics.median(wall):12.3f} {min(wall):8.3f} {statistics.median(processor):18.3f}")


if __name__ == "__main__":
    main()
