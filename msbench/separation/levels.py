"""Stems that go beyond full scale: cut, turned down together, or left alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from msbench.audio.writing import write_failure

Write = Callable[[Mapping[str, np.ndarray]], None]


class Levels:
    """Passes on blocks {stem: (C, frames)}, and does with those beyond full scale as `Output.clip` says.

    To rescale needs the peak of the whole song: until `close` its blocks lie in a file without a name, which the system
    removes however the process ends.

    Attributes:
        peak: The largest absolute sample so far, before anything was done; full scale is 1.
    """

    def __init__(self, clip: str, write: Write, folder: Path) -> None:
        self._clip, self._write, self._folder = clip, write, folder
        self._shapes: list[tuple[list[str], tuple[int, ...]]] = []
        self.peak = 0.0
        if clip == "rescale":
            with write_failure(folder):
                self._aside = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by `close`, or with the object

    def write(self, block: Mapping[str, np.ndarray]) -> None:
        """Take the next block."""
        self.peak = max(self.peak, *(float(np.abs(samples).max(initial=0.0)) for samples in block.values()))
        if self._clip == "rescale":
            samples = np.stack([*block.values()])
            self._shapes.append(([*block], samples.shape))
            with write_failure(self._folder):
                self._aside.write(samples.tobytes())
        elif self._clip == "clamp":
            self._write({stem: np.clip(samples, -1, 1) for stem, samples in block.items()})
        else:
            self._write(block)

    def close(self) -> None:
        """Pass on what was put aside."""
        if self._clip != "rescale":
            return
        with self._aside as aside:
            with write_failure(self._folder):
                aside.seek(0)  # which brings the last of it to the disk
            for stems, shape in self._shapes:
                samples = np.frombuffer(aside.read(4 * int(np.prod(shape))), np.float32).reshape(shape)
                self._write(dict(zip(stems, samples / np.float32(max(self.peak, 1.0)), strict=True)))
