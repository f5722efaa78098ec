"""One song of a prepared dataset: written as WAV files, read back, and found again by a later run."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from msbench.audio.formats import encoded
from msbench.audio.reading import BLOCK_FRAMES
from msbench.audio.streams import resampled
from msbench.audio.writing import stem_writer
from msbench.data.dataset import sampled_blocks
from msbench.data.song import Header, Song, Waves
from msbench.system.bounded import read_json
from msbench.system.files import clear_parts, part_of, sha256_of, write_json
from msbench.system.names import inside
from msbench.system.visible import is_twin

_SONG = "prepared.json"  # in a song's folder: what it was made from, and what is in it

StoredSong = dict[str, Any]  # header: rate, channels, frames; files: what it holds -> file, bytes, sha256


def store_song(song: Song, folder: Path, sample_rate: int | None, stop: threading.Event) -> StoredSong:
    """Write a song's WAV files, read them back, and give the folder its name when it is whole.

    Args:
        song: To be decoded and stored.
        folder: Where its files go; what another download, stem map or rate has left there is replaced.
        sample_rate: In Hz; None keeps the song's.
        stop: Set where the run ends before this song is whole.

    Raises:
        ValueError: If the song is broken.
        FileExistsError: If the folder holds what msbench has not written there.
        FileNotFoundError: If a file is missing, or the program that decodes.
        OSError: If the folder cannot be written.
    """
    _refuse_what_is_not_ours(folder)  # before an hour of decoding
    # Before the samples are read: a file that is replaced meanwhile must differ from what is noted.
    state, sampled = _state(song, sample_rate), _sampled(song)
    waves = song.waves()
    clear_parts(folder)
    try:
        with part_of(folder) as part:
            hashes = _write(song, waves, part, sample_rate, stop)
            files = {name: _checked(part / f"{name}.wav", hashes[name]) for name in sorted(hashes)}
            stored = {"header": _header_at(waves.header, sample_rate), "files": files}
            write_json(part / _SONG, {**state, "sampled": sampled, **stored})
            _publish(part, folder, song, sample_rate)
    except OSError as error:
        if isinstance(error, FileNotFoundError | FileExistsError):
            raise
        raise OSError(
            f"cannot write the prepared {song.name} into {folder.parent} ({error.strerror or error}): free some "
            "space, or name another folder; the songs prepared so far are kept"
        ) from error
    return stored


def finished_song(folder: Path, song: Song, sample_rate: int | None, hashes: bool) -> StoredSong | None:
    """What a song's folder holds, if it is whole and made from this.

    Args:
        folder: Of the song, in the prepared dataset.
        song: As it is published now.
        sample_rate: In Hz; None is the song's.
        hashes: Whether to compare the hashes of files, or their sizes alone.
    """
    try:
        held = read_json(folder / _SONG)
        stored = {"header": held.pop("header"), "files": held.pop("files")}
        sampled = held.pop("sampled")
        files = [(folder / file["file"], file["bytes"], file["sha256"]) for file in stored["files"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there, or not what this msbench writes
    try:
        if held != _state(song, sample_rate) or (hashes and sampled != _sampled(song)):
            return None
        for path, size, sha256 in files:
            if path.stat().st_size != size or (hashes and sha256_of(path) != sha256):
                return None
    except OSError:
        return None  # a file of either side cannot be read: it is prepared again, which says why
    return stored


def _state(song: Song, sample_rate: int | None) -> dict[str, Any]:
    """What a song's folder is made from: another download, stem map or rate makes it another."""
    source = {role: path.stat().st_size if path.exists() else None for role, path in sorted(song.files.items())}
    return {"source": source, "stems": list(song.stems), "sample_rate": sample_rate}


def _sampled(song: Song) -> str:
    """Digest of parts of the song's files: another download may have the same size."""
    digest = hashlib.sha256()
    for path in sorted(path for path in song.files.values() if path.exists()):
        for block in sampled_blocks(path):
            digest.update(block)
    return digest.hexdigest()


def _header_at(header: Header, sample_rate: int | None) -> list[int]:
    """The rate, channels and frames of a song at another rate, or at its own."""
    to_rate = sample_rate or header.sample_rate
    return [to_rate, header.channels, -(-header.frames * to_rate // header.sample_rate)]


def _write(song: Song, waves: Waves, folder: Path, sample_rate: int | None, stop: threading.Event) -> dict[str, str]:
    """Write one WAV file per stem; returns the hashes of the samples that went in."""
    rate = waves.header.sample_rate
    to_rate, channels, length = _header_at(waves.header, sample_rate)
    subtypes = {name: kind if to_rate == rate else "FLOAT" for name, kind in waves.subtypes.items()}
    written = {name: hashlib.sha256() for name in subtypes}
    paths = {name: inside(folder, f"{name}.wav") for name in subtypes}
    with stem_writer(paths, to_rate, channels, frames=length, subtypes=subtypes) as write:
        for block in resampled(_blocks(song, waves, stop), rate, to_rate):  # (names, channels, frames)
            write(dict(zip(subtypes, block, strict=True)))
            for (name, subtype), samples in zip(subtypes.items(), block, strict=True):
                written[name].update(encoded(samples, subtype).tobytes())
    return {name: digest.hexdigest() for name, digest in written.items()}


def _blocks(song: Song, waves: Waves, stop: threading.Event) -> Iterator[np.ndarray]:
    for start in range(0, waves.header.frames, BLOCK_FRAMES):
        if stop.is_set():
            raise InterruptedError("stopped")
        frames = min(BLOCK_FRAMES, waves.header.frames - start)
        block = np.stack([waves.read(name, start, frames) for name in waves.subtypes])
        if not np.all(np.isfinite(block)):
            raise ValueError(
                f"track '{song.name}' of split '{song.split}' has samples that are NaN or infinite: `msbench data "
                "verify` says in which file"
            )
        yield block


def _checked(path: Path, written: str) -> dict[str, Any]:
    """Read a file back: a disk that lost something, perhaps one in a network, is found out here."""
    digest = hashlib.sha256()
    try:
        with soundfile.SoundFile(path) as file:
            kind = "int16" if file.subtype == "PCM_16" else "float32"
            for block in file.blocks(BLOCK_FRAMES, dtype=kind, always_2d=True):
                digest.update(block.tobytes())
    except soundfile.SoundFileError:
        digest = hashlib.sha256()  # what was lost is the header, or part of it
    if digest.hexdigest() != written:
        raise OSError(f"{path} does not hold what was written: the disk is at fault")
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _publish(part: Path, folder: Path, song: Song, sample_rate: int | None) -> None:
    try:
        part.rename(folder)
    except OSError:
        if finished_song(folder, song, sample_rate, hashes=True):  # another process was first
            return
        _refuse_what_is_not_ours(folder)
        shutil.rmtree(folder, ignore_errors=True)  # of another download, map or rate
        part.rename(folder)


def _refuse_what_is_not_ours(folder: Path) -> None:
    """Raise FileExistsError where a folder holds anything but a song that an earlier run has stored there."""
    if not folder.is_symlink() and not folder.exists():
        return
    stored = {_SONG} | {file["file"] for file in _held(folder).get("files", {}).values()}
    others = [path for path in folder.iterdir() if path.name not in stored] if folder.is_dir() else [folder]
    others = [path for path in others if path.is_dir() or not is_twin(path.name)]
    if others or folder.is_symlink():
        raise FileExistsError(
            f"{others[0] if others else folder} is there, and `msbench data prepare` has not written it: name another "
            "output folder, or move it elsewhere"
        )


def _held(folder: Path) -> dict[str, Any]:
    """What a song's folder says of itself; nothing where it is not one of ours."""
    try:
        held = read_json(folder / _SONG)
        return held if all(isinstance(file["file"], str) for file in held["files"].values()) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
