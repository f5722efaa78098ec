"""Checkpoints as TensorFlow writes them, for tests: a table of variables and a file of their values, in an archive.

Each key is written without what it shares with the one before, in blocks of a few, as in TensorFlow's own tables.
Checksums are zero.
"""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from msbench.weights.tensorflow import MAGIC

DTYPES = {np.dtype(np.float32): 1, np.dtype(np.int64): 9}


def varint(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
    written, before = b"", b""
    for key, value in pairs:
        shared = next(i for i in range(len(key) + 1) if before[: i + 1] != key[: i + 1] or i == len(key))
        written += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return written + struct.pack("<II", 0, 1)


def checkpoint(arrays: Mapping[str, np.ndarray], keys_per_block: int = 7) -> tuple[bytes, bytes]:
    """The two files."""
    pairs, values = [(b"", field(1, 1) + field(3, field(1, 1)))], b""
    for name, array in sorted(arrays.items(), key=lambda pair: pair[0].encode()):
        shape = b"".join(field(2, field(1, size)) for size in array.shape)
        entry = field(1, DTYPES[array.dtype]) + field(2, shape) + field(4, len(values)) + field(5, array.nbytes)
        pairs.append((name.encode(), entry + varint(6 << 3 | 5) + bytes(4)))
        values += array.tobytes()
    table, handles = b"", []
    for start in range(0, len(pairs), keys_per_block):
        part = pairs[start : start + keys_per_block]
        handles.append((part[-1][0], varint(len(table)) + varint(len(block(part)))))
        table += block(part) + bytes(5)
    index = varint(len(table)) + varint(len(block(handles)))
    table += block(handles) + bytes(5)
    return table + (bytes(2) + index).ljust(40, b"\0") + struct.pack("<Q", MAGIC), values


def archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as written:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            written.addfile(member, io.BytesIO(content))
    return path


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """An archive as those of Spleeter's release are."""
    table, values = checkpoint(arrays)
    files = {"checkpoint": b'model_checkpoint_path: "model"\n', "model.data-00000-of-00001": values}
    return archive(path, {**files, "model.index": table, "model.meta": b"\x0a\x00"})
