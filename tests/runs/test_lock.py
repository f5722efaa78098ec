"""One process at a time in a run's folder, and no lock left behind by one that was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from msbench.runs.lock import FolderInUse, exclusive

HOLD = """
import sys, time
from pathlib import Path
from msbench.runs.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(FolderInUse, match=rf"is in use by process {process.pid} on \S+: wait"), exclusive(tmp_path):
            pass
        process.kill()
        process.wait()
        with exclusive(tmp_path):  # the lock of a process that was killed is gone
            pass


def test_blocks_of_one_process_share_it(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        with exclusive(tmp_path / "." / ""):
            pass
        script = HOLD.replace("time.sleep(60)", "pass")
        command = [sys.executable, "-c", script, str(tmp_path)]
        other = subprocess.run(command, check=False, capture_output=True, text=True)
        assert "FolderInUse" in other.stderr  # the inner block's end has not given it back
