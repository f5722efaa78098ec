"""Headers without sizes: audio that was written into a pipe is read to its end."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.audio.reading import AudioReader
from tests.audio.noise import RATE, noise


def written(path: Path, kind: str) -> bytearray:
    soundfile.write(path, noise(5000), RATE, format=kind, subtype="PCM_16")
    return bytearray(path.read_bytes())


def read(path: Path) -> np.ndarray:
    with AudioReader(path) as reader:
        return np.concatenate(list(reader.blocks(777)), axis=1)


@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize("riff", [0, 36, 0xFFFFFFFF])
@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_wav(tmp_path: Path, kind: str, riff: int, size: int) -> None:
    path = tmp_path / "a.wav"
    content = written(path, kind)
    expected = read(path)
    data = content.index(b"data")
    content[4:8], content[data + 4 : data + 8] = struct.pack("<I", riff), struct.pack("<I", size)
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), expected)
    path.write_bytes(content + b"\x01")  # half a sample
    np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize("size", [0, 2**64 - 1])
def test_rf64(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.wav"
    content = written(path, "RF64")
    expected = read(path)
    sizes = content.index(b"ds64") + 8
    content[sizes : sizes + 24] = struct.pack("<QQQ", size, size, 0)
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_au(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.au"
    content = written(path, "AU")
    expected = read(path)
    content[8:12] = struct.pack(">I", size)
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), expected)


def test_no_samples_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0), RATE, subtype="PCM_16")
    content = path.read_bytes()
    for behind in (b"", b"LIST" + struct.pack("<I", 4) + b"INFO", b"id3 " + struct.pack("<I", 3) + b"ID3"):
        path.write_bytes(content + behind)
        with pytest.raises(ValueError, match="has zero length, a header without samples"):
            AudioReader(path)


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(ValueError, match="is a pipe or a device: write the audio into a file first"):
        AudioReader(tmp_path / "a.wav")
