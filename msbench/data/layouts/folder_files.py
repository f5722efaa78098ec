"""Which files are the stems of one's own songs: those of a folder, or those that a table lists."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msbench.audio.finding import ENDINGS, IN_PARTS, INEXACT
from msbench.system.bounded import read_text
from msbench.system.errors import is_deliberate, sentence
from msbench.system.names import LONGEST_FILE, plain_name, plain_path
from msbench.system.visible import entries, folders

COLUMNS = ("split", "track", "target", "path")

_READ = (*IN_PARTS, *INEXACT)  # the latter are refused when they are opened, with the way to convert
_NAMED = 5  # files that a sentence names; of the others, the count

Files = dict[str, Path]  # target -> file


@dataclass
class FoundFiles:
    """What lies in a folder, or stands in a table.

    Attributes:
        songs: Split -> track -> its files.
        faults: A sentence for each thing that must be mended.
        unread: Sound that is not read and that no file which is read stands for, relative to the folder.
        misplaced: Sound, and folders in the place of a track, from which nothing is read, relative to the folder.
    """

    songs: dict[str, dict[str, Files]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    misplaced: list[Path] = field(default_factory=list)

    def add(self, split: str, track: str, target: str, path: Path) -> None:
        files = self.songs.setdefault(split, {}).setdefault(track, {})
        if target in files:
            self.faults.append(
                f"track '{track}' of split '{split}' has two files for '{target}', {files[target]} and {path}: "
                "remove one"
            )
        else:
            files[target] = path

    @property
    def unread_sentence(self) -> str:
        """What is said of sound in tracks that is not read; nothing where all is."""
        if not self.unread:
            return ""
        first = self.unread[0]
        return (
            f"{_listed(self.unread, 'file')} of an ending that is not read: convert such files "
            f"(ffmpeg -i {first.name} {first.stem}.flac), or move them out of the tracks"
        )

    @property
    def misplaced_sentence(self) -> str:
        """What is said of sound that lies where no track is looked for; nothing where there is none."""
        if not self.misplaced:
            return ""
        return f"{_listed(self.misplaced, 'place')} without a track: each song is a folder <split>/<track>/ of files"


def files_of(root: Path) -> FoundFiles:
    """The files of a folder, or of a table.

    Raises:
        ValueError: If a file is no such table.
    """
    found = FoundFiles()
    if root.is_file():
        _read_table(root, found)
    else:
        _read_folder(root, found)
    return found


def _read_folder(root: Path, found: FoundFiles) -> None:
    for path in entries(root):
        if not path.is_dir() and path.suffix.lower() in ENDINGS:
            found.misplaced.append(path.relative_to(root))
    for split in folders(root):
        for track in entries(split):
            if track.is_dir():
                _read_track(root, split.name, track, found)
            elif track.suffix.lower() in ENDINGS:
                found.misplaced.append(track.relative_to(root))


def _read_track(root: Path, split: str, track: Path, found: FoundFiles) -> None:
    files = [path for path in entries(track) if path.is_file()]
    read = [path for path in files if path.suffix.lower() in _READ]
    for path in read:
        with _collected(found.faults):
            for name in (split, track.name, path.stem):
                plain_name(name, f"{path}: the name", LONGEST_FILE)
            found.add(split, track.name, path.stem, path)
    stems = {path.stem for path in read}
    lost = [path for path in files if path.suffix.lower() in ENDINGS and path.stem not in stems]
    found.unread += [path.relative_to(root) for path in lost]
    if not read and not lost:
        found.misplaced.append(track.relative_to(root))


def _read_table(table: Path, found: FoundFiles) -> None:
    text = read_text(table).removeprefix("\ufeff")
    try:
        for line, row in _rows(table, text):
            values = [(row[column] or "").strip() for column in COLUMNS]
            with _collected(found.faults):
                if not all(values):
                    raise ValueError(f"{table}, line {line}: each of {', '.join(COLUMNS)} needs a value")
                split, track, target, path = values
                for column, value in zip(COLUMNS, (split, track, target), strict=False):
                    plain_name(value, f"{table}, line {line}: the {column}", LONGEST_FILE)
                found.add(split, track, target, table.parent / plain_path(path, f"{table}, line {line}: the path"))
    except csv.Error as error:
        raise ValueError(f"{table} is not a CSV: save it as one, its first line {','.join(COLUMNS)}") from error


def _rows(table: Path, text: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """(line, row) of each row of a table."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="")
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"{table} has no column '{missing[0]}': its first line must be {','.join(COLUMNS)}")
    for row in reader:
        yield reader.line_num, row


@contextmanager
def _collected(faults: list[str]) -> Iterator[None]:
    """Keep the sentence of a ValueError of ours among the faults, and go on."""
    try:
        yield
    except ValueError as error:
        if not is_deliberate(error):
            raise
        faults.append(sentence(error))


def _listed(paths: list[Path], what: str) -> str:
    """How many, and the first of them: "7 files (a/b.m4a, ... and 2 more)"."""
    first = ", ".join(path.as_posix() for path in paths[:_NAMED])
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"{len(paths)} {what}{'' if len(paths) == 1 else 's'} ({first}{more})"
