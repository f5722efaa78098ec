"""Whether a dataset is whole: every sample of every file read, its hashes kept in a manifest that records point at."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from msbench.audio.files import BLOCK_FRAMES
from msbench.data.dataset import Dataset
from msbench.data.track import MIXTURE, Song, Waves
from msbench.data.upkeep.progress import Progress, shown
from msbench.system.files import sha256_of, write_json
from msbench.system.threads import processors

ERROR, WARNING, NOTE = "error", "warning", "note"

Key = tuple[str, str]  # split and name of a song

_JOURNAL = ".msbench-verify"  # in the dataset's folder: songs that a stopped run has checked


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    level: str  # ERROR: a file to repair; WARNING: not as published; NOTE: known, or by design
    sentence: str


@dataclass
class Report:
    """What `verify` found.

    Attributes:
        findings: The errors first.
        tracks: Split -> tracks found.
        manifest: Its content, the same wherever the same data lie.
        written: Where the manifest is; None where there were errors, or the folder cannot be written to.
    """

    findings: list[Finding] = field(default_factory=list)
    tracks: dict[str, int] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    written: Path | None = None

    @property
    def errors(self) -> list[str]:
        return [finding.sentence for finding in self.findings if finding.level == ERROR]


def verify(data: Dataset, *, jobs: int | None = None, progress: Progress | None = None) -> Report:
    """Read all of a dataset: missing, empty, truncated and unreadable files, NaN and infinite samples, rates, lengths,
    counts, whether stems add up to the mixture, published errata, and changes since an earlier manifest.

    Without errors, the manifest is written into the dataset's folder. A stopped run goes on where it was.

    Args:
        data: The dataset.
        jobs: Songs at a time; None takes one a processor, at most 8.
        progress: Called with (songs done, songs in all); None shows a bar on a terminal.

    Raises:
        ValueError: If the dataset has no tracks.
    """
    report = Report()
    songs = dict(_songs(data, report))
    if not songs:
        raise data.without_tracks()
    report.tracks = {split: sum(key[0] == split for key in songs) for split in data.splits}
    journal = _Journal(data.root)
    with shown(progress, f"verifying {data.name}") as show:
        results = _examine_all(data, songs, journal, jobs or min(processors(), 8), show)
    for found in dict.fromkeys(finding for key in songs for finding in results[key]["findings"]):
        report.findings.append(Finding(*found))
    report.findings += [*_counts(data, report.tracks), *(Finding(NOTE, note) for note in data.notes)]
    report.manifest = _manifest(data, songs, results)
    report.findings += _changes(data, report.manifest)
    report.findings.sort(key=lambda found: (ERROR, WARNING, NOTE).index(found.level))
    if not report.errors:
        _write_manifest(data, report)
        journal.remove()
    return report


def _songs(data: Dataset, report: Report) -> Iterator[tuple[Key, Song]]:
    failed: Exception | None = None
    found = False
    for split in data.splits:
        songs: list[Song] = []
        try:
            for song in data.songs(split):
                found = True
                songs.append(song)
                yield (split, song.name), song
            data.check_names(split, songs)
        except (ValueError, FileNotFoundError) as error:  # metadata, for one: the rest of the split stays unknown
            failed = error
            report.findings.append(Finding(ERROR, str(error)))
    if failed and not found:
        raise failed


def _examine_all(
    data: Dataset, songs: dict[Key, Song], journal: _Journal, jobs: int, show: Progress
) -> dict[Key, dict[str, Any]]:
    """Each song's findings and files; one that is in two splits is read once."""
    same = {key: (song.name, *song.files.values()) for key, song in songs.items()}
    distinct = {identity: key for key, identity in reversed(same.items())}
    results: dict[Key, dict[str, Any]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_examine, data, songs[key], journal): key for key in distinct.values()}
        try:
            for done, job in enumerate(as_completed(waiting), 1):
                results[waiting[job]] = job.result()
                show(done, len(waiting))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {key: results[distinct[same[key]]] for key in songs}


def _examine(data: Dataset, song: Song, journal: _Journal) -> dict[str, Any]:
    key = journal.key(data, song)
    result = journal.known.get(key) if key else None
    if result is None:
        findings, files = [], {}
        for role, path in sorted(song.files.items()):
            described, finding = _file(song, role, path)
            files[role] = described
            findings += [finding] if finding else []
        found: dict[str, Any] = {}
        if not findings:
            try:
                findings = list(_samples(data, song, song.waves(), found))
            except (ValueError, OSError) as error:
                findings = [Finding(ERROR, str(error))]
        findings += _erratum(data, song)
        result = {"findings": [tuple(finding) for finding in findings], "files": files, **found}
        journal.keep(key, result)
    return result


def _file(song: Song, role: str, path: Path) -> tuple[dict[str, Any], Finding | None]:
    where = f"track '{song.name}' of split '{song.split}'"
    try:
        size = path.stat().st_size
        if size == 0:
            return {}, Finding(ERROR, f"{path} has zero length: export or download it again")
        sha256 = sha256_of(path)
    except FileNotFoundError:
        return {}, Finding(ERROR, f"{where} lacks its {role}, {path}: restore the file or remove the track")
    except OSError as error:
        return {}, Finding(ERROR, f"cannot read {path} ({error.strerror}): correct its permissions, or the disk")
    described: dict[str, Any] = {"file": path.name, "bytes": size, "sha256": sha256}
    try:
        info = soundfile.info(path)
        described |= {"format": info.format, "subtype": info.subtype, "channels": info.channels}
    except soundfile.SoundFileError:
        pass  # a stem.mp4, or broken, which its waves tell
    return described, None


def _samples(data: Dataset, song: Song, waves: Waves, found: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with the samples of a song; puts its numbers into `found`."""
    where = f"track '{song.name}' of split '{song.split}'"
    rate, channels, frames = waves.header
    found |= {"sample_rate": rate, "channels": channels, "frames": frames}
    if data.rates and rate not in data.rates:
        published = " or ".join(map(str, data.rates))
        yield Finding(WARNING, f"{where} has a sample rate of {rate} Hz, and '{data.name}' is published at {published}")
    broken: dict[str, int] = {}
    loudest = dict.fromkeys(waves.subtypes, 0.0)
    energy, left = np.zeros(channels), np.zeros(channels)
    for start in range(0, frames, BLOCK_FRAMES):
        count = min(BLOCK_FRAMES, frames - start)
        blocks = {name: waves.read(name, start, count) for name in waves.subtypes}
        for name, block in blocks.items():
            wrong = int(np.count_nonzero(~np.isfinite(block)))
            if wrong:
                broken[name] = broken.get(name, 0) + wrong
            loudest[name] = max(loudest[name], float(np.max(np.abs(block), initial=0)))
        if MIXTURE in blocks and not broken:
            mixture = blocks.pop(MIXTURE)
            energy += np.sum(np.square(mixture, dtype=np.float64), axis=1)
            left += np.sum(np.square(mixture - sum(blocks.values()), dtype=np.float64), axis=1)
    for name, wrong in broken.items():
        files = [path for role, path in song.files.items() if role == name or role.startswith(f"{name} (")]
        listed = ", ".join(map(str, files or song.files.values()))
        yield Finding(ERROR, f"{where}: {wrong} samples of its {name} ({listed}) are NaN or infinite: export it again")
    silent = [name for name, peak in loudest.items() if peak == 0 and name not in broken]
    if silent:
        yield Finding(NOTE, f"{where} is silent throughout in {', '.join(silent)}")
    if MIXTURE in waves.subtypes and not broken:
        found["sum_error_db"] = [_decibels(e, m) for e, m in zip(left, energy, strict=True)]
        yield from _sum(data, song, where, found["sum_error_db"])


def _sum(data: Dataset, song: Song, where: str, errors: list[float | None]) -> Iterator[Finding]:
    limit = data.sum_error_db
    if limit is None or all(error is None or error <= limit for error in errors):
        return
    names = ["left", "right"] if len(errors) == 2 else [f"{i + 1}" for i in range(len(errors))]
    parts = [f"{n} {e:.1f} dB" for n, e in zip(names, errors, strict=True) if e is not None and e > limit]
    known = song.name in data.errata
    yield Finding(
        NOTE if known else WARNING,
        f"{where}: its stems do not add up to the mixture; what is left has, of the mixture, {', '.join(parts)} "
        f"(at most {limit:g} dB expected)" + (", as its publishers say" if known else ""),
    )


def _erratum(data: Dataset, song: Song) -> Iterator[Finding]:
    if song.name in data.errata:
        yield Finding(NOTE, f"published erratum of {song.split}/{song.name}: {data.errata[song.name]}")


def _decibels(part: float, whole: float) -> float | None:
    """Of two energies, to a tenth; None where the part is nothing."""
    if part == 0:
        return None
    return 999.0 if whole == 0 else round(10 * math.log10(part / whole), 1)


def _counts(data: Dataset, tracks: dict[str, int]) -> Iterator[Finding]:
    for split, published in data.published.items():
        found = sum(tracks.get(part, 0) for part in split.split("+"))
        if found != published:
            yield Finding(WARNING, f"{split} has {found} tracks, and '{data.name}' is published with {published}")


def _manifest(data: Dataset, songs: dict[Key, Song], results: dict[Key, dict[str, Any]]) -> dict[str, Any]:
    splits: dict[str, Any] = {split: {"tracks": {}} for split in data.splits}
    for split, name in songs:
        result = dict(results[split, name])
        result["findings"] = [sentence for level, sentence in result.pop("findings") if level == WARNING]
        splits[split]["tracks"][name] = result
    return {
        "dataset": data.name, "version": data.version, "stem_map": dict(data.declared),
        "left_out": data.notes, "splits": splits,
    }  # fmt: skip


def _changes(data: Dataset, manifest: dict[str, Any]) -> Iterator[Finding]:
    """What an earlier manifest, or the list of what was prepared, has otherwise."""
    try:
        earlier = _hashes(json.loads(data.manifest.read_text("utf-8")))
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, AttributeError):
        yield Finding(ERROR, f"{data.manifest} cannot be read: remove it, and verify again")
        return
    now = _hashes(manifest)
    for split, name, file in sorted(earlier.keys() | now.keys()):
        if (old := earlier.get((split, name, file))) != (new := now.get((split, name, file))):
            what = "is gone" if new is None else "is new" if old is None else "has changed"
            yield Finding(
                ERROR,
                f"{file} of track '{name}' of split '{split}' {what} since {data.manifest} was written: restore the "
                "data or, if that is meant, remove the manifest and verify again",
            )


def _hashes(manifest: dict[str, Any]) -> dict[tuple[str, str, str], str]:
    return {
        (split, name, file["file"]): file["sha256"]
        for split, held in manifest["splits"].items()
        for name, track in held["tracks"].items()
        for file in track["files"].values()
        if file
    }


def _write_manifest(data: Dataset, report: Report) -> None:
    if data.manifest.exists():  # and nothing differs
        report.written = data.manifest
        return
    try:
        write_json(data.manifest, report.manifest)
        report.written = data.manifest
    except OSError as error:
        sentence = f"the manifest cannot be written to {data.manifest} ({error.strerror}): let its owner verify it"
        report.findings.append(Finding(WARNING, sentence))


class _Journal:
    """The results of songs, as soon as they are there, for a run that goes on after a stopped one."""

    def __init__(self, root: Path) -> None:
        self.path: Path | None = (root if root.is_dir() else root.parent) / _JOURNAL
        self.known: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        try:
            for line in self.path.read_text("utf-8").splitlines():
                entry = json.loads(line)
                found = [tuple(finding) for finding in entry["result"]["findings"]]
                self.known[entry["key"]] = {**entry["result"], "findings": found}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none, or its last line was being written

    def key(self, data: Dataset, song: Song) -> str:
        """Of the song and its files' sizes and times; empty where one is missing."""
        try:
            stats = [(role, path.stat()) for role, path in sorted(song.files.items())]
        except OSError:
            return ""
        state = [(role, stat.st_size, stat.st_mtime_ns) for role, stat in stats]
        said = [data.name, dict(data.declared), song.split, song.name, state]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def keep(self, key: str, result: dict[str, Any]) -> None:
        if not key or self.path is None:
            return
        try:
            with self._lock, self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "result": result}) + "\n")
        except OSError:
            self.path = None  # not ours to write in: nothing is kept

    def remove(self) -> None:
        if self.path is not None:
            try:
                self.path.unlink(missing_ok=True)
            except OSError:
                self.path = None
