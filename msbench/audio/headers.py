"""Headers of audio that was written into a pipe, whose writer could not go back and fill in the sizes.

libsndfile takes a size of -1 for "up to the end of the file" and a size of zero for no samples. Both are left behind by
programs that stream, and by recorders that lost power.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

Patch = dict[int, bytes]  # position in the file -> the bytes to read there

_UNKNOWN = struct.pack("<I", 0xFFFFFFFF)


def streamed(file: BinaryIO, size: int) -> Patch:
    """What a header without sizes has to say for libsndfile to read up to the end of the file.

    Args:
        file: A WAV, RF64 or AU of `size` bytes that claims to hold no samples.
        size: In bytes.

    Returns:
        The bytes to put in place; empty where the file holds no samples indeed.
    """
    file.seek(0)
    start = file.read(32)
    if start[:4] == b".snd" and len(start) >= 12 and start[8:12] == bytes(4):
        return {8: b"\xff" * 4} if struct.unpack(">I", start[4:8])[0] < size else {}
    if start[:4] not in (b"RIFF", b"RF64") or start[8:12] != b"WAVE":
        return {}
    data = _data_chunk(file, size)
    if data is None or data >= size or _is_chunks(file, data, size):
        return {}
    if start[:4] == b"RIFF":
        return {4: _UNKNOWN, data - 4: _UNKNOWN}
    if start[12:16] != b"ds64":
        return {}
    return {data - 4: _UNKNOWN, 20: struct.pack("<QQQ", size - 8, size - data, 0)}


class Patched(io.RawIOBase):
    """A file some of whose bytes read as others; nothing is written."""

    def __init__(self, file: BinaryIO, patch: Patch) -> None:
        super().__init__()
        self._file = file
        self._patch = patch
        file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # typing's buffer came with Python 3.12
        position = self._file.tell()
        view = memoryview(buffer).cast("B")
        content = self._file.read(len(view))
        view[: len(content)] = content
        for place, patched in self._patch.items():
            first, last = max(place, position), min(place + len(patched), position + len(content))
            if first < last:
                view[first - position : last - position] = patched[first - place : last - place]
        return len(content)


def _data_chunk(file: BinaryIO, size: int) -> int | None:
    """Where the samples of a WAV begin, if its data chunk has no size."""
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            return position + 8 if length in (0, 0xFFFFFFFF) else None
        position += 8 + length + length % 2
    return None


def _is_chunks(file: BinaryIO, position: int, size: int) -> bool:
    """Whether what follows is a row of chunks up to the end of the file, as behind a data chunk that is empty."""
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if not all(0x20 <= letter < 0x7F for letter in name):
            return False
        position += 8 + length + length % 2
    return size <= position <= size + 1
