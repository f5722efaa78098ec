"""Audio files, read in blocks from their start to their end.

Blocks are float32 arrays (channels, frames) with a full scale of one. No more than a block is held, whatever the
file's length, and torch is not imported.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile

from msbench.audio import ffmpeg
from msbench.audio.headers import Patched, streamed
from msbench.system import errors

BLOCK_FRAMES = 65536
MOST_CHANNELS = 256  # a block of them takes 64 MiB; a header may claim 65,535

TAGS = ("title", "artist", "album", "date", "tracknumber", "genre")  # soundfile's names

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
    """An audio file, read once from its start to its end.

    libsndfile reads WAV, FLAC, MP3, OGG, AIFF and more; what it does not know is decoded by ffmpeg, where that is
    installed: AAC, ALAC, WMA, the first audio track of a video. Use it as a context manager.

    Args:
        path: The file.

    Attributes:
        sample_rate: In Hz.
        channels: Number of channels.
        frames: Samples per channel as the header has it, None where it has not; for an MP3 it may be an estimate.
        seconds: Duration, as far as the header knows it.
        tags: Title, artist and the like (`TAGS`), as far as the file has them.
        in_parts: Whether parts can be read by themselves: not of what ffmpeg decodes, or of a header without sizes.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be opened.
        ValueError: If it is no audio, is cut short, has zero length or too many channels, or needs ffmpeg and there is
            none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: _Sequential | None = None
        self.in_parts = False
        with contextlib.ExitStack() as stack:  # closes what is open should the rest of this fail
            raw = stack.enter_context(_opened(self.path))
            self._raw_fd = raw.fileno()
            self._bytes = os.fstat(self._raw_fd).st_size
            if self._bytes == 0:
                raise ValueError(f"{self.path} has zero length: export or download it again")
            if (file := _by_libsndfile(raw, self._bytes)) is None:
                decoding = _by_ffmpeg(self.path)
                self.sample_rate, self.channels = decoding.sample_rate, decoding.channels
                self.frames, self.seconds = decoding.frames, decoding.seconds
                self._decoding = decoding
                found = decoding.tags
            else:
                self._file = stack.enter_context(file)
                self.sample_rate, self.channels = file.samplerate, file.channels
                self.frames = file.frames if file.frames < _UNKNOWN_FRAMES else None
                self.seconds = None if self.frames is None else self.frames / self.sample_rate
                self.in_parts = not isinstance(file.name, Patched)
                self._check_header(file)
                found = file.copy_metadata()
            self.tags = {name: errors.one_line(found[name], 200) for name in TAGS if found.get(name)}
            if self.channels > MOST_CHANNELS:
                raise ValueError(
                    f"{self.path} has {self.channels} channels, and {MOST_CHANNELS} are the most: it is corrupt, or no "
                    "audio to separate"
                )
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[np.ndarray]:
        """The samples in order, as (channels, at most `frames`) arrays; call it once.

        Raises:
            ValueError: If the file turns out to be corrupt or cut short.
        """
        file = self._file
        if file is None:
            return self._stack.enter_context(self._decoding.blocks(frames))
        return self._sequential(file, frames)

    def _sequential(self, file: _Sequential, frames: int) -> Iterator[np.ndarray]:
        done = 0
        while True:
            try:
                block = file.read(frames, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as error:
                raise ValueError(
                    f"{self.path} is corrupt after {done / self.sample_rate:.3f} s: download or export it again"
                ) from error
            if not len(block):
                break
            done += len(block)
            yield np.ascontiguousarray(block.T)
        self._check_end(file, done)

    def _check_header(self, file: _Sequential) -> None:
        if self.frames == 0:
            raise ValueError(f"{self.path} has zero length, a header without samples: export or download it again")
        cut = _CUT_SHORT.search(file.extra_info)
        if cut and int(cut[2]) < int(cut[1]) < _PLACEHOLDER_BYTES:
            raise ValueError(
                f"{self.path} is cut short: its header promises {cut[1]} bytes of samples and {cut[2]} are there; "
                "download or export it again"
            )

    def _check_end(self, file: _Sequential, done: int) -> None:
        promised = self.frames or 0
        missing, slack, unread = promised - done, 0.0, 0.0
        if file.format == "MP3":
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


def _by_libsndfile(raw: io.BufferedReader, size: int) -> _Sequential | None:
    """The file as libsndfile reads it; None if it does not."""
    file: _Sequential | None = None
    with contextlib.suppress(soundfile.SoundFileError):
        file = _Sequential(raw.fileno(), closefd=False)
    if file is not None and file.frames > 0:
        return file
    if patch := streamed(raw, size):
        with contextlib.suppress(soundfile.SoundFileError):
            return _Sequential(Patched(raw, patch))
    return file


def _by_ffmpeg(path: Path) -> ffmpeg.Decoding:
    """The file as ffmpeg reads it."""
    if not ffmpeg.is_there():
        raise ValueError(
            f"cannot read {path} as audio: it is corrupt, or of a format that needs ffmpeg, which is not installed: "
            "check that it plays, and install ffmpeg (apt install ffmpeg, brew install ffmpeg)"
        )
    decoding = ffmpeg.Decoding.of(path)
    if decoding is None:
        raise ValueError(
            f"cannot read {path} as audio, it is corrupt or of a format that neither libsndfile nor ffmpeg reads: "
            "check that it plays, or download it again"
        )
    return decoding


def _opened(path: Path) -> io.BufferedReader:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the audio files in it")
    try:
        # Without O_NONBLOCK, to open a pipe that nobody writes to would wait forever.
        file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: SIM115  # the caller closes it
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no audio file {path}: correct the path") from error
    except OSError as error:
        raise OSError(f"cannot open {path} ({error.strerror}): correct its permissions or the path") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError(f"{path} is a pipe or a device: write the audio into a file first")
    return file
