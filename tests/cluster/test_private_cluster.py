"""The private cluster by itself, as `make slurm-cluster` starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.requirements import require


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_use_it_and_stops_what_it_started(number: int) -> None:
    require("slurm")
    process = subprocess.Popen(
        [sys.executable, "-m", "msbench_slurm.private_cluster"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    text = ""
    while "Ctrl-C stops it" not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    (configuration,) = re.findall(r"export SLURM_CONF=(\S+)", text)
    assert len(daemons(configuration)) >= 4  # munged, slurmctld and its helper, two slurmd
    assert "msbench submit" in text
    process.send_signal(number)
    assert process.wait(30) == 0
    end = time.monotonic() + 10
    while daemons(configuration):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert not Path(configuration).parent.exists()


def daemons(configuration: str) -> list[int]:
    """Processes of one cluster, the one that started it left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"SLURM_CONF={configuration}".encode() in variables:
                found.append(int(entry.name))
    return found
