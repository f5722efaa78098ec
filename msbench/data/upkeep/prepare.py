"""A dataset decoded, mapped and resampled once, into WAV files that are read by seeks or through memory."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msbench.data.dataset import PREPARED, Dataset
from msbench.data.prepared import FORMAT, Prepared
from msbench.data.song import Song, is_bad_file
from msbench.data.upkeep.progress import TrackProgress, progress_bar
from msbench.data.upkeep.stored_song import StoredSong, finished_song, store_song
from msbench.system import errors
from msbench.system.files import write_json
from msbench.system.names import inside
from msbench.system.threads import processors

_SPARE_BYTES = 100_000_000  # of the disk, that are left free

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
    stored: dict[str, StoredSong] = field(default_factory=dict)
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

    def run(self, jobs: int | None = None, progress: TrackProgress | None = None) -> Prepared:
        """Prepare what is missing, some songs at a time; a stopped run goes on where it was.

        Args:
            jobs: Songs at a time; None takes one per processor, at most 8: a decoded song may take 0.4 GB. They are
                threads, as decoding, resampling and writing leave Python's lock to the others.
            progress: Called with (songs done, songs to do); None shows a bar on a terminal.

        Raises:
            ValueError: If songs are broken; the others are prepared all the same. If a link leads out of the output.
            FileExistsError: If a folder to write holds what msbench has not written.
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

    def _store_all(self, songs: list[Song], jobs: int, progress: TrackProgress | None) -> list[Exception]:
        failed: list[Exception] = []
        stop = threading.Event()
        pool = ThreadPoolExecutor(jobs)
        try:
            with progress_bar(progress, f"preparing {self.data.name}") as show:
                waiting = {
                    pool.submit(store_song, song, self._folder(song), self.sample_rate, stop): song for song in songs
                }
                for done, job in enumerate(as_completed(waiting), 1):
                    song = waiting[job]
                    try:
                        self.stored[self.folders[song.split, song.name]] = job.result()
                    except (
                        ValueError,
                        FileNotFoundError,
                        FileExistsError,
                    ) as error:  # a full disk ends all
                        if not is_bad_file(error):
                            raise
                        failed.append(error)
                    show(done, len(songs))
        finally:
            stop.set()  # after a full disk or an interrupt, the others stop at their next block
            pool.shutdown(cancel_futures=True)
        return failed

    def _folder(self, song: Song) -> Path:
        return inside(self.output, *self.folders[song.split, song.name].split("/"))

    def _is_listed(self) -> bool:
        held = self._listed()
        if held is None:
            return False
        wanted = {split: self._tracks(split) for split in self.songs}
        listed = {split: held["splits"].get(split, {}).get("tracks") for split in self.songs}
        return wanted == listed and held["stems"] == list(self.data.stems)

    def _listed(self) -> dict[str, Any] | None:
        """The list in the output's folder, if an earlier run has written one for this dataset."""
        try:
            return Prepared(self.data.name, self.output).contents
        except (ValueError, OSError) as error:
            if not is_bad_file(error):
                raise
            return None

    def _tracks(self, split: str) -> dict[str, Any]:
        folders = {song.name: self.folders[split, song.name] for song in self.songs[split]}
        return {name: {"folder": folder, **self.stored[folder]} for name, folder in folders.items()}

    def _write_list(self) -> None:
        data = self.data
        contents: dict[str, Any] = {
            "format": FORMAT,
            "dataset": data.name,
            "version": data.version,
            "sample_rate": self.sample_rate,
            "stems": list(data.stems),
            "sums": {target: list(parts) for target, parts in data.sums.items()},
            "stem_map": dict(data.stem_map),
            "licence": data.licence,
            "citation": data.citation,
            "rule": data.rule,
            "download": data.download,
            "notes": data.notes,
            "splits": self._other_splits(),
        }
        for split in self.songs:
            contents["splits"][split] = {"tracks": self._tracks(split)}
        write_json(self.output / PREPARED, contents)
        # Fingerprints are of what can be opened, so the list is there before them, and written again with them.
        prepared = Prepared(data.name, self.output)
        for split in self.songs:
            contents["splits"][split]["fingerprint"] = Dataset.fingerprint(prepared, split)
            contents["splits"][split]["source_fingerprint"] = data.fingerprint(split)
        write_json(self.output / PREPARED, contents)

    def _other_splits(self) -> dict[str, Any]:
        """Those that an earlier run prepared alike, where this one is of some splits alone."""
        held = self._listed()
        if held is None:
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
        held = pool.map(
            lambda item: finished_song(output / item[0], item[1], sample_rate, hashes), made.distinct.items()
        )
        made.stored = {folder: stored for folder, stored in zip(made.distinct, held, strict=True) if stored}
        made.bytes_needed = sum(pool.map(lambda song: _size(song, sample_rate), made.missing))
    return made


def _size(song: Song, sample_rate: int | None) -> int:
    try:
        return song.estimated_bytes(sample_rate)
    except (ValueError, OSError) as error:
        if not is_bad_file(error):
            raise
        return 0  # preparing it will say what is wrong


def _joined(failed: list[Exception]) -> Exception:
    """One error of them all; of one cause, that one."""
    sentences = sorted({errors.sentence(error) for error in failed})
    if len(sentences) == 1:
        return failed[0]
    return ValueError(f"{len(failed)} songs cannot be prepared, the others are: {'; '.join(sentences)}")
