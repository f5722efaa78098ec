"""Samples of WAV files: the very ones that libsndfile reads, whatever the form of the file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.data.samples import _maps, layout_of, memory_map, read_samples

RATE = 8000


def write(path: Path, channels: int, subtype: str, container: str = "WAV", frames: int = 500, seed: int = 0) -> Path:
    samples = np.random.default_rng(seed).uniform(-1, 1, (frames, channels)).astype(np.float32)
    soundfile.write(path, samples, RATE, subtype, format=container)
    return path


def theirs(path: Path, start: int, frames: int) -> np.ndarray:
    samples, _ = soundfile.read(path, frames, start, dtype="float32", always_2d=True)
    return np.asarray(samples.T)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_24", "PCM_U8"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX", "W64", "RF64"])
def test_samples_are_those_of_libsndfile(tmp_path: Path, channels: int, subtype: str, container: str) -> None:
    path = write(tmp_path / "a.wav", channels, subtype, container)
    plain = layout_of(path)
    fast = subtype in ("PCM_16", "FLOAT") and container in ("WAV", "WAVEX")
    assert (plain is not None) == fast
    if plain is not None:
        assert (plain.sample_rate, plain.channels, plain.frames) == (RATE, channels, 500)
    out = np.full((channels, 77), np.nan, np.float32)
    assert read_samples(path, 123, RATE, out) is out
    assert np.array_equal(out, theirs(path, 123, 77))
    one = read_samples(path, 123, RATE, out, channel=channels - 1)
    assert np.array_equal(one, theirs(path, 123, 77)[-1:])
    if fast:
        out[...] = np.nan
        assert np.array_equal(read_samples(path, 123, RATE, out, mappable=True), theirs(path, 123, 77))


def test_all_16_bit_values_are_exact(tmp_path: Path) -> None:
    values = np.arange(-32768, 32768, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", np.stack([values, values[::-1]], 1), RATE, "PCM_16")
    out = read_samples(tmp_path / "a.wav", 0, RATE, np.empty((2, 65536), np.float32))
    assert np.array_equal(out[0], values / 32768)
    assert np.array_equal(out[1], values[::-1] / 32768)


def test_part_of_a_larger_array_is_filled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 2, "PCM_16")
    whole = np.zeros((2, 100), np.float32)
    read_samples(path, 0, RATE, whole[:, :60])
    assert np.array_equal(whole[:, :60], theirs(path, 0, 60))
    assert not whole[:, 60:].any()


def test_chunks_before_the_samples_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 2, "PCM_16")
    content = path.read_bytes()
    place = content.index(b"data")
    odd = b"note" + struct.pack("<I", 5) + b"hello\0"  # an odd length is padded
    path.write_bytes(content[:place] + odd + content[place:])
    found = layout_of(path)
    assert found is not None
    assert found.offset == place + 8 + len(odd)
    out = read_samples(path, 10, RATE, np.empty((2, 20), np.float32))
    assert np.array_equal(out, theirs(path, 10, 20))


@pytest.mark.parametrize("kind", ["cut", "of a pipe", "empty", "no samples", "text", "big endian", "no format"])
def test_what_is_not_whole_is_left_to_libsndfile(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.wav", 2, "PCM_16")
    content = path.read_bytes()
    place = content.index(b"data")
    path.write_bytes(
        {
            "cut": content[:-10],
            "of a pipe": content[: place + 4] + b"\xff" * 4 + content[place + 8 :],
            "empty": b"",
            "no samples": content[: place + 4] + bytes(4),
            "text": b"RIFF nonsense",
            "big endian": b"RIFX" + content[4:],
            "no format": content[:12] + content[place:],
        }[kind]
    )
    assert layout_of(path) is None


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 2, "PCM_16")
    out = np.empty((2, 50), np.float32)
    read_samples(path, 0, RATE, out)
    write(path, 2, "FLOAT", seed=1)
    assert np.array_equal(read_samples(path, 0, RATE, out), theirs(path, 0, 50))
    write(path, 1, "PCM_16")
    with pytest.raises(ValueError, match=r"a.wav has 1 channels and had 2 before: restore it and run again"):
        read_samples(path, 0, RATE, out)


@pytest.mark.parametrize("mappable", [False, True])
def test_an_end_before_its_time_and_a_removed_file(tmp_path: Path, mappable: bool) -> None:
    path = write(tmp_path / "a.wav", 2, "PCM_16")
    out = np.empty((2, 50), np.float32)
    with pytest.raises(ValueError, match=r"a.wav ends at 0.062 s, before the length in its header"):
        read_samples(path, 480, RATE, out, mappable=mappable)
    _maps.clear()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"a.wav has been removed meanwhile: restore it"):
        read_samples(path, 0, RATE, out, mappable=mappable)


def test_maps_leave_half_of_the_open_files_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (6, 6))
    _maps.clear()
    paths = [write(tmp_path / f"{i}.wav", 2, "PCM_16", seed=i) for i in range(5)]
    for path in [*paths, *paths]:
        found = read_samples(path, 7, RATE, np.empty((2, 50), np.float32), mappable=True)
        assert np.array_equal(found, theirs(path, 7, 50))
    assert len(_maps) == 3
    assert memory_map(paths[0]) is memory_map(paths[0])
    assert memory_map(paths[4]) is None
