"""`msbench doctor`: what works on this machine, and the fix for what does not, one finding after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msbench.doctor import contents, gpu, libraries, machine
from msbench.doctor.finding import Finding
from msbench.system.errors import named

__all__ = ["EXAMINED", "Finding", "examine"]

# The slow ones, which import torch and Lightning, come last.
EXAMINED: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
    ("python", machine.python),
    ("packages", libraries.packages),
    ("memory", machine.cores_and_memory),
    ("disk", machine.disk),
    ("shared memory", machine.shared_memory),
    ("slurm", machine.slurm),
    ("audio", libraries.audio),
    ("ffmpeg", machine.ffmpeg),
    ("scoring", libraries.scoring),
    ("extras", libraries.extras),
    ("plugins", contents.plugins),
    ("demo songs", contents.demo),
    ("torch", gpu.torch_and_gpus),
    ("lightning", libraries.lightning),
)


def examine() -> Iterator[Finding]:
    """Look at this machine.

    Yields:
        A finding as soon as it is known. A look that raises is a finding that does not work.
    """
    for name, look in EXAMINED:
        try:
            yield from look()
        except Exception as error:
            yield Finding(name, False, named(error), False, "msbench could not look at it")
