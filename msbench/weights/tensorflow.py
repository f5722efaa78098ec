"""Checkpoints of TensorFlow, read as data, without TensorFlow.

A checkpoint is a table of its variables, `NAME.index`, and their values, `NAME.data-00000-of-00001`
(tensorflow/tensorflow: core/util/tensor_bundle/tensor_bundle.cc, core/lib/io/format.cc, core/lib/io/block.cc). The
table holds blocks of keys in order, each without what it shares with the key before, and at its end the place of a
block that lists them. A value is a protocol buffer (core/protobuf/tensor_bundle.proto). Checksums are not checked:
publishers give the hash of the whole file.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from msbench.system.bounded import shown
from msbench.system.errors import one_line

FOOTER_BYTES, MAGIC = 48, 0xDB4775248B80FB57
SINGLE = 1  # DT_FLOAT of core/framework/types.proto
LARGEST_TABLE, LARGEST_VALUES, MOST_VARIABLES = 2**24, 2**33, 100_000  # bytes, bytes, number
_DAMAGED = (
    *(tarfile.TarError, OSError, EOFError, OverflowError, zlib.error, lzma.LZMAError),
    *(IndexError, struct.error, UnicodeDecodeError),
)


class _Variable(NamedTuple):
    """Where the values of a variable lie."""

    offset: int
    bytes: int
    name: str
    shape: tuple[int, ...]


def read_tensorflow(path: str | Path) -> dict[str, np.ndarray]:
    """The variables of single precision that a checkpoint of TensorFlow holds, by name. Nothing is unpacked or run.

    Args:
        path: A tar archive, compressed or not, with the two files of the checkpoint.

    Raises:
        ValueError: If it is no such archive, damaged, or of a form that is not read here.
    """
    try:
        with tarfile.open(path) as archive:
            table = _part(archive, path, ".index").read(LARGEST_TABLE)
            values = _part(archive, path, ".data-00000-of-00001")
            arrays = {}
            for variable in sorted(_variables(table)):  # by offset: a compressed archive is read once from end to end
                values.seek(variable.offset)
                found = np.empty(math.prod(variable.shape), "<f4")
                if values.readinto(found.data) < variable.bytes:
                    raise EOFError(f"the values of {shown(variable.name)} end too early")
                arrays[variable.name] = found.reshape(variable.shape)
            return arrays
    except _DAMAGED as error:
        raise ValueError(
            f"{path} is no archive of a TensorFlow checkpoint, or damaged ({one_line(str(error), 200)}): download it "
            "again"
        ) from error


def _part(archive: tarfile.TarFile, path: str | Path, ending: str) -> io.BufferedReader:
    for member in archive:
        if member.isfile() and member.name.endswith(ending):
            part = archive.extractfile(member)
            assert part is not None, "a file"
            return cast(io.BufferedReader, part)
    raise ValueError(f"{path} holds no file whose name ends in {ending}: give the archive of a TensorFlow checkpoint")


def _variables(table: bytes) -> Iterator[_Variable]:
    total = 0
    for count, (key, entry) in enumerate(_entries(table)):
        fields = list(_fields(entry))
        held = {number: value for number, value in fields if isinstance(value, int)}
        if not key:  # the header: number of files of values, and the order of bytes in them
            if held.get(1, 1) != 1 or held.get(2, 0):
                raise ValueError("the checkpoint has several files of values, or was written on a big-endian machine")
            continue
        if held.get(1) != SINGLE:
            continue  # counts of steps, text
        name = key.decode()
        shape = tuple(_size(dimension) for number, value in fields if number == 2 for dimension in _dimensions(value))
        variable = _Variable(held.get(4, 0), held.get(5, 0), name, shape)
        total += variable.bytes
        partitioned = any(number == 7 for number, _ in fields)
        if partitioned or 4 * math.prod(shape) != variable.bytes or total > LARGEST_VALUES or count > MOST_VARIABLES:
            raise ValueError(f"the checkpoint's variable {shown(name)} is in parts, or larger than what is read here")
        yield variable


def _dimensions(shape: int | bytes) -> Iterator[bytes]:
    if isinstance(shape, bytes):
        yield from (value for number, value in _fields(shape) if number == 2 and isinstance(value, bytes))


def _size(dimension: bytes) -> int:
    return next((value for number, value in _fields(dimension) if number == 1 and isinstance(value, int)), 0)


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a table, in order."""
    footer = table[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != MAGIC:
        raise ValueError("the table of the checkpoint has not the end that TensorFlow writes")
    _, after = _handle(footer, 0)
    for _, value in _block(table, _handle(footer, after)[0]):
        yield from _block(table, _handle(value, 0)[0])


def _block(table: bytes, place: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    offset, size = place
    block = table[offset : offset + size]
    if table[offset + size]:
        raise ValueError("the table of the checkpoint is compressed: write it with TensorFlow 1.2 or later")
    (restarts,) = struct.unpack("<I", block[-4:])
    end, at, key = size - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """The offset and the size of a block, and where they end."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer: numbers, or bytes of texts and inner messages."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, at = _varint(message, at)
        else:
            length = {1: 8, 5: 4}[kind] if kind in (1, 5) else len(message) + 1
        if at + length > len(message):
            raise IndexError("a value ends too early")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits per byte, the lowest first, and where it ends."""
    value = 0
    for i in range(10):
        value |= (data[at + i] & 127) << 7 * i
        if data[at + i] < 128:
            return value, at + i + 1
    raise IndexError("a number has too many digits")
