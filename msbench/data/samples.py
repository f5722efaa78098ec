"""Samples of a part of an audio file, as (channels, samples) float32: plain WAV files straight from the disk.

libsndfile takes several times as long to convert 16 bits to floats as it takes to read them, and gives interleaved
samples, where training needs a row for each channel.
"""

from __future__ import annotations

import mmap
import os
import resource
import stat
import struct
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from msbench.data.loops import deinterleave

_MP3_PREROLL = 16 * 1152  # samples: a decoder that starts in mid-stream is exact only after some frames
_HEAD_BYTES = 4096  # of a file: its samples begin within them, or libsndfile reads it
_EXTENSIBLE = 0xFFFE
_DTYPES = {(1, 16): "<i2", (3, 32): "<f4"}  # tag of the format, bits


def read_samples(
    path: Path, start: int, sample_rate: int, out: np.ndarray, channel: int | None = None, mappable: bool = False
) -> np.ndarray:
    """Read samples into `out`, or one channel of a file.

    Args:
        path: Anything that libsndfile reads by seeks.
        start: First sample.
        sample_rate: In Hz, to name moments by.
        out: (channels, samples) float32 to fill.
        channel: The one that is wanted; `out` says how many samples, and is left as it is.
        mappable: Whether nobody cuts the file short meanwhile, so that it may be mapped into memory: a read beyond
            the end of a map kills the process.

    Returns:
        `out`, or the channel as (1, samples).

    Raises:
        ValueError: If the file is corrupt there, ends before, or has other channels than `out`.
        FileNotFoundError: If it has been removed.
    """
    frames = out.shape[1]
    try:
        if mappable and channel is None and (held := memory_map(path)):
            _check_channels(path, held.layout.channels, out)
            _check_end(path, start + held.read(start, out), start + frames, sample_rate)
            return out
        with PlainWav(path) as file:
            if file.layout is None:
                return _read_by_libsndfile(path, start, sample_rate, out, channel)
            whole = out if channel is None else np.empty((file.layout.channels, frames), np.float32)
            _check_channels(path, file.layout.channels, whole)
            there = file.read(start, whole)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} has been removed meanwhile: restore it and run again") from error
    _check_end(path, start + there, start + frames, sample_rate)
    return out if channel is None else whole[channel : channel + 1]


def _read_by_libsndfile(path: Path, start: int, sample_rate: int, out: np.ndarray, channel: int | None) -> np.ndarray:
    frames = out.shape[1]
    try:
        with soundfile.SoundFile(path) as file:
            preroll = min(start, _MP3_PREROLL) if file.format == "MP3" else 0
            file.seek(start - preroll)
            # One read, as soundfile seeks after each, and an MP3 would lose its bit reservoir there.
            block = file.read(preroll + frames, dtype="float32", always_2d=True)[preroll:].T
    except soundfile.SoundFileError as error:
        if not path.exists():
            raise FileNotFoundError(f"{path} has been removed meanwhile: restore it and run again") from error
        raise ValueError(
            f"{path} is corrupt between {start / sample_rate:.3f} s and {(start + frames) / sample_rate:.3f} s: "
            "download or export it again"
        ) from error
    _check_end(path, start + block.shape[1], start + frames, sample_rate)
    if channel is not None:
        return block[channel : channel + 1]
    _check_channels(path, len(block), out)
    out[...] = block
    return out


def _check_channels(path: Path, channels: int, out: np.ndarray) -> None:
    if channels != len(out):
        raise ValueError(f"{path} has {channels} channels and had {len(out)} before: restore it and run again")


def _check_end(path: Path, there: int, wanted: int, sample_rate: int) -> None:
    if there < wanted:
        raise ValueError(
            f"{path} ends at {there / sample_rate:.3f} s, before the length in its header: download or export it again"
        )


def layout_of(path: Path) -> Layout | None:
    """The layout of a WAV file of 16 bits or of 32-bit floats; None for anything else, and for broken or empty files.

    Raises:
        OSError: If it is not there.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # to open a pipe that nobody writes to would wait forever
        return None
    return _layout(str(path), state.st_size, state.st_mtime_ns)


class Layout(NamedTuple):
    """Where a file's samples lie, and as what."""

    sample_rate: int  # Hz
    offset: int  # bytes
    dtype: str  # "<i2" or "<f4"
    channels: int
    frames: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * int(self.dtype[-1])


class PlainWav:
    """A WAV file of 16 bits or of 32-bit floats, open.

    Use it as a context manager.

    Args:
        path: The file.

    Attributes:
        layout: None where the file is something else, for which libsndfile is there.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        state = os.fstat(self._fd)
        self.layout = _layout(str(path), state.st_size, state.st_mtime_ns)

    def __enter__(self) -> PlainWav:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def read(self, start: int, out: np.ndarray) -> int:
        """Read samples from `start` into `out`, (channels, samples) float32; returns how many there were."""
        assert self.layout is not None
        size = self.layout.frame_bytes
        stored = np.empty(out.shape[1] * size, np.uint8)
        place, done = self.layout.offset + start * size, 0
        while done < len(stored):
            count = os.preadv(self._fd, [stored[done:]], place + done)  # type: ignore[list-item]  # numpy's are buffers
            if count == 0:
                break
            done += count
        deinterleave(stored.view(self.layout.dtype), out)
        return done // size


class MappedWav:
    """A WAV file of 16 bits or of 32-bit floats in memory: one copy less, for files that nobody cuts short meanwhile.

    Args:
        path: The file.

    Raises:
        OSError: If it cannot be opened.
        ValueError: If it is something else.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            layout = _layout(str(path), state.st_size, state.st_mtime_ns)
            if layout is None:
                raise ValueError(f"{path} is not what was prepared: run `msbench data prepare` again")
            self.layout = layout
            samples = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._samples = np.frombuffer(samples, layout.dtype, layout.frames * layout.channels, layout.offset)

    def read(self, start: int, out: np.ndarray) -> int:
        """As `PlainWav.read`."""
        channels = self.layout.channels
        stored = self._samples[start * channels : (start + out.shape[1]) * channels]
        deinterleave(stored, out[:, : len(stored) // channels])
        return len(stored) // channels


_maps: dict[Path, MappedWav] = {}


def memory_map(path: Path) -> MappedWav | None:
    """The file's map, kept from then on; None where that would take more than half of the files a process may open."""
    found = _maps.get(path)
    if found is None and len(_maps) < min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2):
        found = _maps[path] = MappedWav(path)  # Python keeps a file open for each map
    return found


@lru_cache(maxsize=2**16)
def _layout(path: str, size: int, modified_ns: int) -> Layout | None:
    """The layout of a file in one state: with another size or time it is another file.

    A RIFF file has few and short chunks before its samples. scipy takes five times as long to read them, which counts
    with ten thousand files.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    place, known = 12, None
    while place + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, place)
        place += 8
        if name == b"fmt " and length >= 16 and place + length <= len(head):
            tag, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", head, place)
            if tag == _EXTENSIBLE and length >= 40:
                (tag,) = struct.unpack_from("<H", head, place + 24)  # the first bytes of its subformat
            dtype = _DTYPES.get((tag, bits))
            if dtype is None or not rate or not channels or frame_bytes != channels * bits // 8:
                return None
            known = rate, dtype, channels, frame_bytes
        elif name == b"data":
            if known is None or length == 0 or place + length > size:  # broken, cut short, or written into a pipe
                return None
            rate, dtype, channels, frame_bytes = known
            return Layout(rate, place, dtype, channels, length // frame_bytes) if length >= frame_bytes else None
        place += length + length % 2
    return None
