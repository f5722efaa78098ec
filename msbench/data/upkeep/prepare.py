"""A dataset decoded, mapped and resampled once, into WAV files that are read by seeks or through memory."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from msbench.audio.files import BLOCK_FRAMES, encoded, stem_writer
from msbench.audio.streams import resampled
from msbench.data.dataset import PREPARED, Dataset, sampled_blocks
from msbench.data.prepared import FORMAT, Prepared
from msbench.data.track import Header, Song, Waves
from msbench.data.upkeep.progress import Progress, shown
from msbench.system.files import clear_parts, part_of, sha256_of, write_json
from msbench.system.threads import processors

_SONG = "prepared.json"  # in a song's folder: what it was made from, and what is in it
_SPARE_BYTES = 100_000_000  # of the disk, that are left free

Stored = dict[str, Any]  # header: rate, channels, frames; files: what it holds -> file, bytes, sha256
Key = tuple[str, str]  # split and name of a song


@dataclass
class Preparation:
    """What is to be prepared, and what it takes; `run` does it.

    Attributes:
        data: The dataset, in its published layout.
        output: The folder that it is written into.
        sample_rate: In Hz; None keeps each song's.
        songs: Split -> its songs.
        folders: Where each goes; what is in two splits is stored once.
        stored: Folder -> what an earlier run has finished there.
        bytes_needed: About, of the songs to do.
    """

    data: Dataset
    output: Path
    sample_rate: int | None
    songs: dict[str, list[Song]]
    folders: dict[Key, str]
    stored: dict[str, Stored] = field(default_factory=dict)
    bytes_needed: int = 0

    @property
    def missing(self) -> list[Song]:
        return [song for folder, song in self.distinct.items() if folder not in self.stored]

    @property
    def distinct(self) -> dict[str, Song]:
        """Folder -> its song."""
        songs: dict[str, Song] = {}
        for song in (song for found in self.songs.values() for song in found):
            songs.setdefault(self.folders[song.split, song.name], song)
        return songs

    @property
    def bytes_free(self) -> int:
        """On the output's disk."""
        there = next(folder for folder in (self.output.absolute(), *self.output.absolute().parents) if folder.exists())
        return shutil.disk_usage(there).free

    def run(self, jobs: int | None = None, progress: Progress | None = None) -> Prepared:
        """Prepare what is missing, some songs at a time; a stopped run goes on where it was.

        Args:
            jobs: Songs at a time; None takes one a processor, at most 8: a decoded song may take 0.4 GB. They are
                threads, as decoding, resampling and writing leave Python's lock to the others.
            progress: Called with (songs done, songs to do); None shows a bar on a terminal.

        Raises:
            ValueError: If songs are broken; the others are prepared all the same.
            FileNotFoundError: If a file is missing, or the program that decodes.
            OSError: If the output cannot be written, or has too little space.
        """
        missing = self.missing
        if missing:
            self._check_space()
            failed = self._store_all(missing, jobs or min(processors(), 8), progress)
            if failed:
                raise _joined(failed)
        if missing or not self._is_listed():
            self._write_list()
        return Prepared(self.data.name, self.output)

    def _check_space(self) -> None:
        if self.bytes_needed + _SPARE_BYTES > self.bytes_free:
            raise OSError(
                f"{len(self.missing)} songs of '{self.data.name}' take about {self.bytes_needed / 1e9:.2f} GB and the "
                f"disk of {self.output} has {self.bytes_free / 1e9:.2f} GB free: make room, or name another folder"
            )

    def _store_all(self, songs: list[Song], jobs: int, progress: Progress | None) -> list[Exception]:
        failed: list[Exception] = []
        stop = threading.Event()
        pool = ThreadPoolExecutor(jobs)
        try:
            with shown(progress, f"preparing {self.data.name}") as show:
                waiting = {pool.submit(self._store, song, stop): song for song in songs}
                for done, job in enumerate(as_completed(waiting), 1):
                    song = waiting[job]
                    try:
                        self.stored[self.folders[song.split, song.name]] = job.result()
                    except (ValueError, FileNotFoundError) as error:
                        failed.append(error)
                    show(done, len(songs))
        finally:
            stop.set()  # after a full disk or an interrupt, the others stop at their next block
            pool.shutdown(cancel_futures=True)
        return failed

    def _store(self, song: Song, stop: threading.Event) -> Stored:
        if "/" in song.name or song.name[:1] in ("", "."):
            raise ValueError(f"track '{song.name}' of split '{song.split}' cannot name a folder: rename it")
        folder = self.output / self.folders[song.split, song.name]
        state, sampled = _state(song, self.sample_rate), _sampled(song)
        waves = song.waves()
        clear_parts(folder)
        try:
            with part_of(folder) as part:
                hashes = _write(song, waves, part, self.sample_rate, stop)
                files = {name: _checked(part / f"{name}.wav", hashes[name]) for name in sorted(hashes)}
                stored = {"header": _header_at(waves.header, self.sample_rate), "files": files}
                write_json(part / _SONG, {**state, "sampled": sampled, **stored})
                _publish(part, folder, song, self.sample_rate)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise OSError(
                f"cannot write the prepared {song.name} into {folder.parent} ({error.strerror or error}): free some "
                "space, or name another folder; the songs prepared so far are kept"
            ) from error
        return stored

    def _is_listed(self) -> bool:
        try:
            held = Prepared(self.data.name, self.output).contents
        except (ValueError, OSError):
            return False
        wanted = {split: self._tracks(split) for split in self.songs}
        listed = {split: held["splits"].get(split, {}).get("tracks") for split in self.songs}
        return wanted == listed and held["stems"] == list(self.data.stems)

    def _tracks(self, split: str) -> dict[str, Any]:
        folders = {song.name: self.folders[split, song.name] for song in self.songs[split]}
        return {name: {"folder": folder, **self.stored[folder]} for name, folder in folders.items()}

    def _write_list(self) -> None:
        data = self.data
        contents: dict[str, Any] = {
            "format": FORMAT, "dataset": data.name, "version": data.version, "sample_rate": self.sample_rate,
            "stems": list(data.stems), "sums": {target: list(parts) for target, parts in data.sums.items()},
            "stem_map": dict(data.declared), "licence": data.licence, "citation": data.citation, "rule": data.rule,
            "download": data.download, "notes": data.notes, "splits": self._other_splits(),
        }  # fmt: skip
        for split in self.songs:
            contents["splits"][split] = {"tracks": self._tracks(split)}
        write_json(self.output / PREPARED, contents)
        prepared = Prepared(data.name, self.output)
        for split in self.songs:
            contents["splits"][split]["fingerprint"] = Dataset.fingerprint(prepared, split)
            contents["splits"][split]["source_fingerprint"] = data.fingerprint(split)
        write_json(self.output / PREPARED, contents)

    def _other_splits(self) -> dict[str, Any]:
        """Those that an earlier run prepared alike, where this one is of some splits alone."""
        try:
            held = Prepared(self.data.name, self.output).contents
        except (ValueError, OSError):
            return {}
        alike = held["stems"] == list(self.data.stems) and held["sample_rate"] == self.sample_rate
        return {split: s for split, s in held["splits"].items() if split not in self.songs} if alike else {}


def plan(
    data: Dataset,
    output: Path,
    *,
    sample_rate: int | None = None,
    splits: Iterable[str] | None = None,
    hashes: bool = True,
) -> Preparation:
    """Find what is to be prepared and what an earlier run has finished; nothing is written.

    Args:
        data: The dataset, in its published layout.
        output: The folder that it will be written into.
        sample_rate: In Hz; None keeps each song's.
        splits: Those to prepare; all when None.
        hashes: Whether finished files are checked by their hash, or by their size alone.

    Raises:
        ValueError: If the rate is no rate, the output is the dataset itself, or there are no tracks.
    """
    if sample_rate is not None and not 1000 <= sample_rate <= 384000:
        raise ValueError(f"a sample rate of {sample_rate} Hz cannot be: give Hz, 44100 or 16000 for instance")
    if isinstance(data, Prepared):
        raise ValueError(f"{data.root} is prepared already: name the dataset's own folder as root")
    if output.resolve() == data.root.resolve():
        raise ValueError(f"{output} is the dataset itself: name another folder to prepare it into")
    songs = {split: list(data.songs(split)) for split in splits or data.splits}
    if not any(songs.values()) and not splits:
        raise data.without_tracks()
    for split, found in songs.items():
        data.check_names(split, found)
    folders: dict[Key, str] = {}
    first: dict[tuple[str, ...], str] = {}
    for song in (song for found in songs.values() for song in found):
        same = (song.name, *map(str, song.files.values()))
        folders[song.split, song.name] = first.setdefault(same, f"{song.split}/{song.name}")
    made = Preparation(data, output, sample_rate, songs, folders)
    with ThreadPoolExecutor(processors()) as pool:
        held = pool.map(lambda item: _finished(output / item[0], item[1], sample_rate, hashes), made.distinct.items())
        made.stored = {folder: stored for folder, stored in zip(made.distinct, held, strict=True) if stored}
        made.bytes_needed = sum(pool.map(lambda song: _size(song, sample_rate), made.missing))
    return made


def _size(song: Song, sample_rate: int | None) -> int:
    try:
        return song.estimated_bytes(sample_rate)
    except (ValueError, FileNotFoundError):
        return 0  # said when it is prepared


def _state(song: Song, sample_rate: int | None) -> dict[str, Any]:
    """What a song's folder is made from: another download, stem map or rate makes it another."""
    source = {role: path.stat().st_size if path.exists() else None for role, path in sorted(song.files.items())}
    return {"source": source, "stems": list(song.stems), "sample_rate": sample_rate}


def _sampled(song: Song) -> str:
    """Of a part of the song's files: another download may be of the same size."""
    digest = hashlib.sha256()
    for path in sorted(path for path in song.files.values() if path.exists()):
        for block in sampled_blocks(path):
            digest.update(block)
    return digest.hexdigest()


def _finished(folder: Path, song: Song, sample_rate: int | None, hashes: bool) -> Stored | None:
    """The files of a song's folder, if they are whole and made from this."""
    try:
        held = json.loads((folder / _SONG).read_text("utf-8"))
        stored = {"header": held.pop("header"), "files": held.pop("files")}
        sampled = held.pop("sampled")
        if held != _state(song, sample_rate) or (hashes and sampled != _sampled(song)):
            return None
        for file in stored["files"].values():
            path = folder / file["file"]
            if path.stat().st_size != file["bytes"] or (hashes and sha256_of(path) != file["sha256"]):
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return stored


def _header_at(header: Header, sample_rate: int | None) -> list[int]:
    """The rate, channels and frames of a song at another rate, or its own."""
    to_rate = sample_rate or header.sample_rate
    return [to_rate, header.channels, -(-header.frames * to_rate // header.sample_rate)]


def _write(song: Song, waves: Waves, folder: Path, sample_rate: int | None, stop: threading.Event) -> dict[str, str]:
    """Write one WAV file for each; returns the hashes of the samples that went in."""
    rate = waves.header.sample_rate
    to_rate, channels, length = _header_at(waves.header, sample_rate)
    subtypes = {name: kind if to_rate == rate else "FLOAT" for name, kind in waves.subtypes.items()}
    written = {name: hashlib.sha256() for name in subtypes}
    with stem_writer(folder, list(subtypes), to_rate, channels, frames=length, subtypes=subtypes) as write:
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
    """Read a file back: a disk that lost something, in a network perhaps, is found out here."""
    with soundfile.SoundFile(path) as file:
        kind = "int16" if file.subtype == "PCM_16" else "float32"
        digest = hashlib.sha256()
        for block in file.blocks(BLOCK_FRAMES, dtype=kind, always_2d=True):
            digest.update(block.tobytes())
    if digest.hexdigest() != written:
        raise OSError(f"{path} does not hold what was written: the disk is at fault")
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _publish(part: Path, folder: Path, song: Song, sample_rate: int | None) -> None:
    try:
        part.rename(folder)
    except OSError:
        if _finished(folder, song, sample_rate, hashes=True):  # another process was first
            return
        shutil.rmtree(folder, ignore_errors=True)  # of another download, map or rate
        part.rename(folder)


def _joined(failed: list[Exception]) -> Exception:
    """One error of them all; of one cause, that one."""
    sentences = sorted({str(error) for error in failed})
    if len(sentences) == 1:
        return failed[0]
    return ValueError(f"{len(failed)} songs cannot be prepared, the others are: {'; '.join(sentences)}")
