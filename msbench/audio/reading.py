"""Audio files, read in blocks from their start to their end.

Blocks are float32 arrays (channels, frames) with a full scale of one. No more than a block is held, whatever the
file's length, and torch is not imported.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile

BLOCK_FRAMES = 65536

_UNKNOWN_FRAMES = 2**62  # libsndfile's count for a stream that does not say its length is 2**63 - 1
# libsndfile's log of a data chunk that claims more bytes than the file has. From 0x7FFF0000 on the claim is a
# placeholder, as ffmpeg and sox leave one when they write into a pipe.
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_PLACEHOLDER_BYTES = 0x7FFF0000
_MP3_FRAME = 1152


class _Sequential(soundfile.SoundFile):
    """soundfile seeks to where it already is after each block it reads.

    In an MP3 that loses the bit reservoir, which leaves errors of -38 dB at the start of blocks; and it fails in a
    FLAC of unknown length. A file that says it cannot seek is read straight on, exactly.
    """

    def seekable(self) -> bool:
        return False


class AudioReader:
    """An audio file, read once from its start to its end: WAV, FLAC, MP3, OGG, AIFF and what else libsndfile reads.

    Use it as a context manager.

    Args:
        path: The file.

    Attributes:
        sample_rate: In Hz.
        channels: Number of channels.
        frames: Samples per channel as the header has it, None where it has not; for an MP3 it may be an estimate.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be opened.
        ValueError: If it is no audio, is cut short, or has zero length.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with contextlib.ExitStack() as stack:  # closes what is open should the rest of this fail
            raw = stack.enter_context(_opened(self.path))
            self._raw_fd = raw.fileno()
            self._bytes = os.fstat(self._raw_fd).st_size
            if self._bytes == 0:
                raise ValueError(f"{self.path} has zero length: export or download it again")
            try:
                self._file = stack.enter_context(_Sequential(self._raw_fd, closefd=False))
            except soundfile.SoundFileError as error:
                raise ValueError(
                    f"cannot read {self.path} as audio, it is corrupt or of another format: check that it plays, or "
                    f"convert it with `ffmpeg -i {self.path} converted.wav`"
                ) from error
            self.sample_rate: int = self._file.samplerate
            self.channels: int = self._file.channels
            self.frames: int | None = self._file.frames if self._file.frames < _UNKNOWN_FRAMES else None
            self._check_header()
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def seconds(self) -> float | None:
        """Duration, as far as the header knows it."""
        return None if self.frames is None else self.frames / self.sample_rate

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[np.ndarray]:
        """The samples in order, as (channels, at most `frames`) arrays; call it once.

        Raises:
            ValueError: If the file turns out to be corrupt or cut short.
        """
        done = 0
        while True:
            try:
                block = self._file.read(frames, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as error:
                raise ValueError(
                    f"{self.path} is corrupt after {done / self.sample_rate:.3f} s: download or export it again"
                ) from error
            if not len(block):
                break
            done += len(block)
            yield np.ascontiguousarray(block.T)
        self._check_end(done)

    def _check_header(self) -> None:
        if self.frames == 0:
            raise ValueError(f"{self.path} has zero length, a header without samples: export or download it again")
        cut = _CUT_SHORT.search(self._file.extra_info)
        if cut and int(cut[2]) < int(cut[1]) < _PLACEHOLDER_BYTES:
            raise ValueError(
                f"{self.path} is cut short: its header promises {cut[1]} bytes of samples and {cut[2]} are there; "
                "download or export it again"
            )

    def _check_end(self, done: int) -> None:
        promised = self.frames or 0
        missing, slack, unread = promised - done, 0.0, 0.0
        if self._file.format == "MP3":
            # Without a Xing header the length is an estimate from the first frames, and libsndfile stops there: the
            # samples may end before the estimate, or the estimate before the samples (a tag may follow them).
            slack = 0.02 * promised + 4 * _MP3_FRAME
            unread = self._bytes * 0.98 - 8192 - os.lseek(self._raw_fd, 0, os.SEEK_CUR)
        if missing > slack or unread > 0:
            raise ValueError(
                f"{self.path} does not hold what its header says ({promised / self.sample_rate:.1f} s promised, "
                f"{done / self.sample_rate:.1f} s decoded): download it again or, if it plays to its end, rewrite it "
                f"with `ffmpeg -i {self.path} -c copy rewritten{self.path.suffix}`"
            )


def _opened(path: Path) -> io.BufferedReader:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the audio files in it")
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no audio file {path}: correct the path") from error
    except OSError as error:
        raise OSError(f"cannot open {path} ({error.strerror}): correct its permissions or the path") from error
