"""Songs as a dataset publishes them, read to be checked or stored; a `Track` is one that can be read in parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from msbench.system import errors


class Header(NamedTuple):
    """What all files of a track have in common."""

    sample_rate: int  # Hz
    channels: int
    frames: int  # samples per channel


class Waves(NamedTuple):
    """The samples of a song, as they are read to be checked or stored elsewhere."""

    header: Header
    subtypes: dict[str, str]  # what is stored -> "PCM_16" where 16 bits hold it exactly, else "FLOAT"
    read: Callable[[str, int, int], np.ndarray]  # as Track.read

    def bytes_at(self, sample_rate: int | None) -> int:
        """Of WAV files of them; at another rate they are floats."""
        rate, channels, frames = self.header
        if sample_rate in (None, rate):
            return sum((2 if kind == "PCM_16" else 4) * channels * frames for kind in self.subtypes.values())
        assert sample_rate is not None
        return len(self.subtypes) * 4 * channels * -(-frames * sample_rate // rate)


class Song(Protocol):
    """What a dataset has published of one song: a track, or a file that must be decoded to be one."""

    name: str
    split: str

    @property
    def files(self) -> dict[str, Path]: ...

    @property
    def stems(self) -> tuple[str, ...]: ...

    def waves(self) -> Waves:
        """Its samples, decoded where need be.

        Raises:
            ValueError: If a file is broken.
            FileNotFoundError: If one is missing.
        """
        ...

    def estimated_bytes(self, sample_rate: int | None) -> int:
        """About how large its waves will be as WAV files, without decoding anything."""
        ...


def is_bad_file(error: Exception) -> bool:
    """Whether an error is of a track's files, said on purpose or a refusal of the system, and not a bug.

    Where one bad file does not stop what goes on with the others, a bug must: it would end as "bad track" otherwise.
    """
    return isinstance(error, OSError) or errors.is_deliberate(error)
