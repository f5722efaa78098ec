"""The DataLoader of chunks: it resumes in mid-epoch, and says in one sentence why a worker failed."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch.utils.data import DataLoader

from msbench.data.loading.faults import BadTrack
from msbench.model.separator import Batch
from msbench.system.internals import end_workers

_CAUSES = {
    "SIGKILL": "most likely by the system, out of memory: set data.workers or data.batch_size lower, or give the job "
    "more memory",
    "SIGBUS": "most likely as shared memory (/dev/shm) ran out: set data.workers lower, or give it more (docker run "
    "--shm-size, or a larger /dev/shm)",
    "SIGSEGV": "a fault of a native library on one of the files: `msbench data verify` reads them all, and "
    "data.workers 0 shows where",
}


class ChunkLoader(DataLoader[Batch]):
    """A DataLoader that Lightning may resume in mid-epoch: it has no state, its sampler starts where training was."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass

    def __iter__(self) -> Any:
        return self._with_plain_errors(super().__iter__())

    def _with_plain_errors(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches; a bad track and a worker's death are said in one sentence each.

        torch raises again what was raised in a worker: an error of the same type, whose message is the traceback.
        Only a `BadTrack` is unpacked from it, as nothing but our own `raise` makes one; any other stays the bug it is.
        """
        try:
            for batch in batches:
                self.dataset.faults.warn()  # type: ignore[attr-defined]  # all our datasets have them
                yield batch
        except BadTrack as error:
            name, _, sentence = str(error).strip().rpartition("\n")[2].partition(": ")
            if name.rpartition(".")[2] != BadTrack.__name__:
                raise  # it was raised in this process
            raise BadTrack(sentence) from error
        except (RuntimeError, EOFError, ConnectionError) as error:  # the latter two while a batch is fetched
            waits = 0 if isinstance(error, RuntimeError) else 50
            while (dead := self.worker_death()) is None and waits > 0:
                time.sleep(0.02)  # the connection breaks before the system knows how the process ended
                waits -= 1
            if dead is None:
                raise
            raise RuntimeError(dead) from error

    def worker_death(self) -> str | None:
        """Why a worker died, if one did."""
        return why_worker_died(getattr(self._iterator, "_workers", []))

    def stop(self) -> None:
        """End the workers, as far as there are any."""
        end_workers(self._iterator)
        self._iterator = None


def start_worker(worker: int) -> None:
    """Prepare a worker process; its loader calls it there."""
    torch.set_num_threads(1)
    for number in (signal.SIGUSR2, signal.SIGTERM):  # a cluster sends them to every process; the parent saves and ends
        signal.signal(number, signal.SIG_IGN)


def why_worker_died(workers: Sequence[BaseProcess]) -> str | None:
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
