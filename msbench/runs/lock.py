"""One process at a time in a run's folder: a second one is refused while the first one lives."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

from msbench.system.bounded import read_text
from msbench.system.errors import one_line
from msbench.system.files import appending

NAME = "run.lock"
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}

_held: set[Path] = set()  # by this process, whose second lock the system would grant


class FolderInUse(RuntimeError):
    """Another process trains or scores in this folder."""


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a run's folder, which must exist, for this process; blocks within one another share it.

    The lock is the system's and ends with the process, however that ends; the file `run.lock` stays, and tells who
    holds it. It is of POSIX's kind: processes forked later (loader workers) do not inherit it, and NFS passes it on to
    the other machines. Where the file system has no locks, a warning says so.

    Raises:
        FolderInUse: If another process holds it.
    """
    path = folder.resolve() / NAME
    if path in _held:
        yield
        return
    with appending(path) as file:  # never through a link
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise FolderInUse(
                    f"{folder} is in use by {_holder(path)}: wait for its end, stop it, or give another folder"
                ) from error
            warnings.warn(f"the file system of {folder} has no locks: start no second run in it", stacklevel=3)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        if said := one_line(read_text(path), 200):
            return said
    return "another process"
