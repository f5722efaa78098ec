"""Why a loader's worker died, in one sentence."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

_CAUSES = {
    "SIGKILL": "most likely by the system, out of memory: set data.workers or data.batch_size lower, or give the job "
    "more memory",
    "SIGBUS": "most likely as shared memory (/dev/shm) ran out: set data.workers lower, or give it more (docker run "
    "--shm-size, or a larger /dev/shm)",
    "SIGSEGV": "a fault of a native library on one of the files: `msbench data verify` reads them all, and "
    "data.workers 0 shows where",
}


def death(workers: Sequence[BaseProcess]) -> str | None:
    """Which worker died, of what, the likely cause and the fix; None where none did."""
    for number, worker in enumerate(workers, 1):
        code = worker.exitcode
        if not code:  # alive, or ended as it was told to
            continue
        which = f"loader worker {number} of {len(workers)} (process {worker.pid})"
        if code > 0:
            return f"{which} ended by itself with exit code {code}: data.workers 0 shows where"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{which} was killed by {name}, {_CAUSES.get(name, 'sent from outside: the same command goes on')}"
    return None
