"""Audio files, written in blocks so that a final name never holds half a file.

Blocks are float32 arrays (channels, frames) with a full scale of one. No more than a block is held, whatever the
file's length, and torch is not imported.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from msbench.system.files import part_name
from msbench.system.names import plain_name

FORMATS = {"wav": ("WAV", "FLOAT"), "flac": ("FLAC", "PCM_24")}  # extension -> what libsndfile calls it

_WAV_LIMIT_BYTES = 2**32 - 2**20  # a WAV's sizes are 32-bit; beyond, RF64 is the same file with 64-bit sizes
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

    def __init__(
        self, path: Path, sample_rate: int, channels: int, frames: int | None, subtype: str | None = None
    ) -> None:
        kind, usual = FORMATS[path.suffix[1:]]
        self.subtype = subtype or usual
        if kind == "WAV" and (frames or 0) * channels * 4 > _WAV_LIMIT_BYTES:
            kind = "RF64"
        self.path = path
        self.part = part_name(path)
        try:
            self._disk = _Disk(self.part)
        except OSError as error:
            raise _kind(error)(f"cannot write in {path.parent} ({error.strerror}): give another folder") from error
        try:
            with self._failing():
                self._file = soundfile.SoundFile(self._disk, "w", sample_rate, channels, self.subtype, format=kind)
        except BaseException:
            self.discard()
            raise

    def write(self, block: np.ndarray) -> None:
        with self._failing():
            self._file.write(encoded(block, self.subtype))

    def close(self) -> None:
        """Bring all of it to the disk: some file systems tell only then that they are full."""
        with self._failing():
            self._file.close()
            self._clear_time()
            os.fsync(self._disk.fileno())
            self._disk.close()

    def _clear_time(self) -> None:
        """libsndfile notes the time in a WAV of floats; without it, the same samples are the same file."""
        with self.part.open("rb") as file:
            place = file.read(256).find(b"PEAK")
        if place > 0:
            self._disk.seek(place + 12)
            self._disk.write(bytes(4))

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
            kind = _kind(cause)
            raise kind(
                f"{'No space left' if kind is NoSpace else 'Failure'} while writing {self.path} ({cause.strerror}): "
                "free some space or give another folder; nothing was kept"
            ) from cause
        if cause is not None:
            raise ValueError(f"cannot write {self.path} ({cause}): the extension wav takes any audio") from cause


def _kind(error: OSError) -> type[OSError]:
    return NoSpace if error.errno in _FULL else OSError


def encoded(block: np.ndarray, subtype: str) -> np.ndarray:
    """(channels, frames) float32 as the (frames, channels) that a file of this subtype is written from.

    What was read from 16 bits becomes the same 16 bits; libsndfile's own conversion scales by 32767.
    """
    if subtype == "PCM_16":
        return np.ascontiguousarray(np.clip(np.rint(block.T * 32768), -32768, 32767), dtype=np.int16)
    return np.ascontiguousarray(block.T, dtype=np.float32)


@contextlib.contextmanager
def stem_writer(
    folder: str | os.PathLike[str],
    targets: Sequence[str],
    sample_rate: int,
    channels: int,
    *,
    extension: str = "wav",
    frames: int | None = None,
    subtypes: Mapping[str, str] | None = None,
) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    """Write one file per target, block by block; all get their names `<folder>/<target>.<extension>` at the end.

    Gives a function that takes the next block of each target, {target: (channels, frames)}. If the body fails, the
    files so far are removed, and the folders made for them; files from before stay as they were.

    Args:
        folder: Made where it does not exist.
        targets: Names of the stems.
        sample_rate: In Hz.
        channels: Number of channels.
        extension: "wav" (32-bit float, nothing clips) or "flac" (24 bits, clips beyond full scale).
        frames: Samples per channel, where known: a WAV beyond 4 GiB has to be told from its start.
        subtypes: Of targets that are stored as something else, "PCM_16" for one.

    Raises:
        ValueError: If the extension is another, or a target's name cannot name a file.
        NoSpace: If the disk fills up.
        OSError: If the folder cannot be made or written to.
    """
    paths = stem_paths(folder, targets, extension)
    made = _make(Path(folder))
    files: dict[str, _PartFile] = {}

    def write(block: Mapping[str, np.ndarray]) -> None:
        for target, file in files.items():
            file.write(block[target])

    try:
        for target, path in paths.items():
            files[target] = _PartFile(path, sample_rate, channels, frames, (subtypes or {}).get(target))
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


def stem_paths(folder: str | os.PathLike[str], targets: Sequence[str], extension: str = "wav") -> dict[str, Path]:
    """Where `stem_writer` puts each target's file."""
    if extension not in FORMATS:
        raise ValueError(f"cannot write '{extension}' files: the extension is one of {', '.join(FORMATS)}")
    paths = {target: Path(folder) / f"{plain_name(target, 'the target')}.{extension}" for target in targets}
    for path in paths.values():
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder where a stem would go: remove it or give another folder")
    return paths


def _make(folder: Path) -> list[Path]:
    """Make a folder; returns what was missing of its path, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _kind(error)(f"cannot make the folder {folder} ({error.strerror}): give another") from error
    return missing
