"""Whether a dataset is whole: every sample of every file read, its hashes kept in a manifest that records point at."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msbench.data.dataset import Dataset
from msbench.data.song import Song, is_bad_file
from msbench.data.upkeep.progress import TrackProgress, progress_bar
from msbench.data.upkeep.song_check import ERROR, NOTE, WARNING, DataFinding, check_file, check_samples, errata
from msbench.system import errors
from msbench.system.bounded import check_json, read_json, read_text
from msbench.system.files import appending, write_json
from msbench.system.threads import processors

Key = tuple[str, str]  # split and name of a song

_CHECKED = ".msbench-verify"  # in the dataset's folder: songs that a stopped run has checked


@dataclass
class Report:
    """What `verify` found.

    Attributes:
        findings: The errors first.
        tracks: Split -> tracks found.
        manifest: Its content, the same wherever the same data lie.
        written: Where the manifest is; None where there were errors, or the folder cannot be written to.
    """

    findings: list[DataFinding] = field(default_factory=list)
    tracks: dict[str, int] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    written: Path | None = None

    @property
    def errors(self) -> list[str]:
        return [finding.sentence for finding in self.findings if finding.level == ERROR]


def verify(data: Dataset, *, jobs: int | None = None, progress: TrackProgress | None = None) -> Report:
    """Read all of a dataset, and find what is not as it should be.

    That is: missing, empty, truncated and unreadable files, NaN and infinite samples, rates, lengths, counts, stems
    that do not add up to the mixture, published errata, and changes since an earlier manifest.

    Without errors, the manifest is written into the dataset's folder. A stopped run goes on where it was.

    Args:
        data: The dataset.
        jobs: Songs at a time; None takes one per processor, at most 8.
        progress: Called with (songs done, songs in all); None shows a bar on a terminal.

    Raises:
        ValueError: If the dataset has no tracks.
    """
    report = Report()
    songs = dict(_songs(data, report))
    if not songs and not report.errors:
        raise data.without_tracks()
    report.tracks = {split: sum(key[0] == split for key in songs) for split in data.splits}
    checked = _CheckedSongs(data.root)
    with progress_bar(progress, f"verifying {data.name}") as show:
        results = _examine_all(data, songs, checked, jobs or min(processors(), 8), show)
    for found in dict.fromkeys(finding for key in songs for finding in results[key]["findings"]):
        report.findings.append(DataFinding(*found))
    report.findings += [*_counts(data, report.tracks), *(DataFinding(NOTE, note) for note in data.notes)]
    report.manifest = _manifest(data, songs, results)
    report.findings += _changes(data, report.manifest)
    report.findings.sort(key=lambda found: (ERROR, WARNING, NOTE).index(found.level))
    if not report.errors:
        _write_manifest(data, report)
        checked.remove()
    return report


def _songs(data: Dataset, report: Report) -> Iterator[tuple[Key, Song]]:
    failed: list[Exception] = []
    found = False
    for split in data.splits:
        songs: list[Song] = []
        try:
            for song in data.songs(split):
                songs.append(song)
        except (ValueError, OSError) as error:  # metadata, for one: the rest of the split stays unknown
            if not is_bad_file(error):
                raise
            failed.append(error)
        try:
            data.check_names(split, songs)
        except ValueError as error:
            if not is_bad_file(error):
                raise
            failed.append(error)
        found = found or bool(songs)
        yield from (((split, song.name), song) for song in songs)
    sentences = dict.fromkeys(map(errors.sentence, failed))
    if len(sentences) == 1 and not found:
        raise failed[0]
    report.findings += [DataFinding(ERROR, sentence) for sentence in (*dict.fromkeys(data.faults), *sentences)]


def _examine_all(
    data: Dataset, songs: dict[Key, Song], checked: _CheckedSongs, jobs: int, show: TrackProgress
) -> dict[Key, dict[str, Any]]:
    """Each song's findings and files; one that is in two splits is read once."""
    same = {key: (song.name, *song.files.values()) for key, song in songs.items()}
    distinct = {identity: key for key, identity in reversed(same.items())}
    results: dict[Key, dict[str, Any]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_examine, data, songs[key], checked): key for key in distinct.values()}
        try:
            for done, job in enumerate(as_completed(waiting), 1):
                results[waiting[job]] = job.result()
                show(done, len(waiting))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {key: results[distinct[same[key]]] for key in songs}


def _examine(data: Dataset, song: Song, checked: _CheckedSongs) -> dict[str, Any]:
    key = checked.key(data, song)
    result = checked.known.get(key) if key else None
    if result is None:
        findings, files = [], {}
        for role, path in sorted(song.files.items()):
            described, finding = check_file(song, role, path)
            files[role] = described
            findings += [finding] if finding else []
        found: dict[str, Any] = {}
        if not findings:
            try:
                findings = list(check_samples(data, song, song.waves(), found))
            except (ValueError, OSError) as error:
                if not is_bad_file(error):
                    raise
                findings = [DataFinding(ERROR, errors.sentence(error))]
        findings += errata(data, song)
        result = {"findings": [tuple(finding) for finding in findings], "files": files, **found}
        checked.keep(key, result)
    return result


def _counts(data: Dataset, tracks: dict[str, int]) -> Iterator[DataFinding]:
    for split, published in data.published.items():
        found = sum(tracks.get(part, 0) for part in split.split("+"))
        if found != published:
            yield DataFinding(WARNING, f"{split} has {found} tracks, and '{data.name}' is published with {published}")


def _manifest(data: Dataset, songs: dict[Key, Song], results: dict[Key, dict[str, Any]]) -> dict[str, Any]:
    splits: dict[str, Any] = {split: {"tracks": {}} for split in data.splits}
    for split, name in songs:
        result = dict(results[split, name])
        result["findings"] = [sentence for level, sentence in result.pop("findings") if level == WARNING]
        splits[split]["tracks"][name] = result
    return {
        "dataset": data.name,
        "version": data.version,
        "stem_map": dict(data.stem_map),
        "left_out": data.notes,
        "splits": splits,
    }


def _changes(data: Dataset, manifest: dict[str, Any]) -> Iterator[DataFinding]:
    """What an earlier manifest, or the list of what was prepared, has otherwise."""
    try:
        earlier = _hashes(read_json(data.manifest))
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, AttributeError):  # not JSON, or JSON of another kind
        yield DataFinding(ERROR, f"{data.manifest} cannot be read: remove it, and verify again")
        return
    now = _hashes(manifest)
    for split, name, file in sorted(earlier.keys() | now.keys()):
        if (old := earlier.get((split, name, file))) != (new := now.get((split, name, file))):
            what = "is gone" if new is None else "is new" if old is None else "has changed"
            yield DataFinding(
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
        report.findings.append(DataFinding(WARNING, sentence))


class _CheckedSongs:
    """The results of songs, written as soon as they are there, for a run that goes on after a stopped one."""

    def __init__(self, root: Path) -> None:
        self.path: Path | None = (root if root.is_dir() else root.parent) / _CHECKED
        self.known: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        try:
            lines = [] if self.path.is_symlink() else read_text(self.path).splitlines()
        except (OSError, ValueError):
            return  # no run was stopped
        for line in lines:
            try:
                check_json(line)
                entry = json.loads(line)
                found = [DataFinding(str(level), str(sentence)) for level, sentence in entry["result"]["findings"]]
                is_ours = all(isinstance(file, dict) for file in entry["result"]["files"].values())
                if is_ours and all(finding.level in (ERROR, WARNING, NOTE) for finding in found):
                    self.known[str(entry["key"])] = {**entry["result"], "findings": found}
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # it was being written when the run was stopped

    def key(self, data: Dataset, song: Song) -> str:
        """Digest of the song and its files' sizes and times; empty where one is missing."""
        try:
            stats = [(role, path.stat()) for role, path in sorted(song.files.items())]
        except OSError:
            return ""
        state = [(role, stat.st_size, stat.st_mtime_ns) for role, stat in stats]
        identity = [data.name, dict(data.stem_map), song.split, song.name, state]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def keep(self, key: str, result: dict[str, Any]) -> None:
        if not key or self.path is None:
            return
        line = json.dumps({"key": key, "result": result}) + "\n"
        try:
            with self._lock, appending(self.path) as file:
                file.write(line)
        except (OSError, ValueError):
            self.path = None  # the folder is not ours to write in: nothing is kept

    def remove(self) -> None:
        if self.path is not None:
            try:
                self.path.unlink(missing_ok=True)
            except OSError:
                self.path = None
