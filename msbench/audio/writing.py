"""Audio files, written in blocks so that a final name never holds half a file.

Blocks are float32 arrays (channels, frames) with a full scale of one. No more than a block is held, whatever the
file's length, and torch is not imported.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from msbench.audio.formats import FORMATS, SAMPLE_BYTES, Format, encoded
from msbench.system.files import part_name

_WAV_LIMIT_BYTES = 2**32 - 2**20  # a WAV's sizes are 32-bit; beyond, RF64 is the same file with 64-bit sizes
_WRITE_FRAMES = 16384  # at a time: libvorbis puts what it is given on the stack
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's quota, the process's limit on a file


class NoSpace(OSError):
    """The disk, or the user's share of it, is full."""


class _Disk(io.FileIO):
    """A new file that keeps the error which libsndfile, writing through it from C, would reduce to a short count."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")
        self.error: OSError | None = None

    def write(self, data) -> int:  # type: ignore[no-untyped-def]  # typing's buffer came with Python 3.12
        view, done = memoryview(data), 0
        try:
            while done < len(view):  # a disk that fills up takes a part first and says why only when asked again
                done += super().write(view[done:])
        except OSError as error:
            self.error = self.error or error
        return done


class _PartFile:
    """One audio file on its way: a hidden file in its folder, until `publish` gives it its name."""

    def __init__(self, path: Path, format: Format, sample_rate: int, channels: int, frames: int | None) -> None:
        self.subtype, kind = format.subtype, format.container
        if kind == "WAV" and (frames or 0) * channels * SAMPLE_BYTES.get(self.subtype, 4) > _WAV_LIMIT_BYTES:
            kind = "RF64"
        self.path = path
        self.part = part_name(path)
        try:
            self._disk = _Disk(self.part)
        except OSError as error:
            raise _kind(error)(f"cannot write in {path.parent} ({error.strerror}): give another folder") from error
        try:
            with self._failing():
                self._file = soundfile.SoundFile(
                    self._disk, "w", sample_rate, channels, self.subtype, format=kind, **format.encoding
                )
        except BaseException:
            self.discard()
            raise

    def tag(self, tags: Mapping[str, str]) -> None:
        """Note title, artist and so on, before the first samples."""
        for name, text in tags.items():
            plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip()
            # libsndfile writes UTF-8 into an MP3 as if it were Latin-1.
            if kept := plain if self._file.format == "MP3" else text:
                setattr(self._file, name, kept)

    def write(self, block: np.ndarray) -> None:
        with self._failing():
            for start in range(0, block.shape[-1], _WRITE_FRAMES):
                self._file.write(encoded(block[:, start : start + _WRITE_FRAMES], self.subtype))

    def close(self) -> None:
        """Bring all of it to the disk: some file systems tell only then that they are full."""
        with self._failing():
            self._file.close()
            self._clear_time()
            os.fsync(self._disk.fileno())
            self._disk.close()

    def _clear_time(self) -> None:
        """libsndfile notes the time in a WAV of floats; without it, the same samples are the same file."""
        if self.subtype != "FLOAT":
            return
        with self.part.open("rb") as file:
            place = 12  # behind "RIFF", a size and "WAVE"; RF64 has the same
            while len(head := os.pread(file.fileno(), 8, place)) == 8 and head[:4] != b"data":
                if head[:4] == b"PEAK":
                    self._disk.seek(place + 12)
                    self._disk.write(bytes(4))
                size = int.from_bytes(head[4:], "little")
                place += 8 + size + size % 2

    def publish(self) -> None:
        os.replace(self.part, self.path)

    def discard(self) -> None:
        with contextlib.suppress(AttributeError, OSError, soundfile.SoundFileError):  # it may not even be open
            self._file.close()
        self._disk.close()
        self.part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn whatever a write fails with into one sentence; a short write is an AssertionError in soundfile."""
        failure: BaseException | None = None
        try:
            yield
        except (AssertionError, OSError, soundfile.SoundFileError) as error:
            failure = error
        cause = self._disk.error or failure
        if isinstance(cause, OSError):
            raise _failure(self.path, cause) from cause
        if cause is not None:
            raise ValueError(f"cannot write {self.path} ({cause}): the format wav32f takes any audio") from cause


@contextlib.contextmanager
def write_failure(path: Path) -> Iterator[None]:
    """Say in one sentence what a write to a path, or within a folder, fails with."""
    try:
        yield
    except OSError as error:
        raise _failure(path, error) from error


def _failure(path: Path, error: OSError) -> OSError:
    kind = _kind(error)
    return kind(
        f"{'No space left' if kind is NoSpace else 'Failure'} while writing {path} ({error.strerror}): "
        "free some space or give another folder; nothing was kept"
    )


def _kind(error: OSError) -> type[OSError]:
    return NoSpace if error.errno in _FULL else OSError


@contextlib.contextmanager
def stem_writer(
    paths: Mapping[str, Path],
    sample_rate: int,
    channels: int,
    *,
    format: str = "wav32f",
    frames: int | None = None,
    subtypes: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    """Write one file per stem, block by block; all get their names at the end.

    Gives a function that takes the next block of each stem, {name: (channels, frames)}. If the body fails, the files so
    far are removed, and the folders made for them; files from before stay as they were.

    Args:
        paths: Of the stems; folders are made where they do not exist.
        sample_rate: In Hz.
        channels: Number of channels.
        format: One of `msbench.audio.formats.FORMATS`.
        frames: Samples per channel, where known: a WAV beyond 4 GiB has to be told from its start.
        subtypes: Of stems that are stored as something else, "PCM_16" for one.
        tags: Title, artist and so on, by soundfile's names.

    Raises:
        ValueError: If the format cannot hold this rate or number of channels.
        NoSpace: If the disk fills up.
        OSError: If a folder cannot be made or written to, or a folder is where a stem would go.
    """
    for path in paths.values():
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder where a stem would go: remove it or give another folder")
    made: list[Path] = []
    files: dict[str, _PartFile] = {}

    def write(block: Mapping[str, np.ndarray]) -> None:
        for name, file in files.items():
            file.write(block[name])

    try:
        for name, path in paths.items():
            made = _make(path.parent) + made
            chosen = FORMATS[format]
            if subtypes is not None:
                chosen = replace(chosen, subtype=subtypes[name])
            files[name] = _PartFile(path, chosen, sample_rate, channels, frames)
            files[name].tag(tags or {})
        yield write
        for file in files.values():
            file.close()
        for file in files.values():
            file.publish()
    except BaseException:  # an interrupt by the user too
        for file in files.values():
            file.discard()
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def _make(folder: Path) -> list[Path]:
    """Make a folder; returns what was missing of its path, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _kind(error)(f"cannot make the folder {folder} ({error.strerror}): give another") from error
    return missing
