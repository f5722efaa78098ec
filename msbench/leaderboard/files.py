"""The files that a board is read from. Strangers may have put them there: only regular files inside the board count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msbench import records
from msbench.records import strict_json
from msbench.records.types import Record
from msbench.system import bounded
from msbench.system.errors import is_bug, is_deliberate, sentence


class BoardWarning(UserWarning):
    """Something of a board cannot be read; the rest of it can."""


class SuiteWarning(BoardWarning):
    """The suite of a board cannot be read; its records can."""


class FileWarning(BoardWarning):
    """A record, or an excerpt, of a board cannot be read; the others can."""


def check_inside(folder: Path, path: Path) -> None:
    """Refuse a link that leads out of a folder: what a board publishes would come from elsewhere on the machine.

    Raises:
        ValueError: If the path leads out.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{path} leads out of {folder}: put the file itself there, not a link")


def read_text(folder: Path, path: Path) -> str:
    """The text of a regular file inside a board.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it leads out, is no regular file, too large or not UTF-8; the message names it.
    """
    check_inside(folder, path)
    return bounded.read_text(path)


def read_records(folder: Path) -> tuple[dict[Path, Record], dict[Path, str]]:
    """The records of a board, and why those that cannot be read cannot."""
    found: dict[Path, Record] = {}
    faults: dict[Path, str] = {}
    for path in record_paths(folder):
        try:
            check_inside(folder, path)
            found[path] = records.completed(records.read(path))
        except (ValueError, OSError) as error:
            if is_bug(error):
                raise
            faults[path] = sentence(error)
    return found, faults


def without_twins(files: dict[Path, Record]) -> tuple[dict[Path, Record], dict[Path, str]]:
    """The records, but of those of one model, dataset, metric and seed only the first file's; why not the others."""
    first: dict[tuple[Any, ...], Path] = {}
    faults: dict[Path, str] = {}
    for path, record in files.items():
        other = first.setdefault(_identity(record), path)
        if other is not path:
            line = strict_json.line_of(path.read_text("utf-8"), ["model", "label"])
            faults[path] = f"{path}, line {line}: of the same model, dataset and seed as {other.name}: keep one"
    return {path: record for path, record in files.items() if path not in faults}, faults


def record_paths(folder: Path) -> list[Path]:
    """The files in a board's records/, but for hidden ones, which desktops and editors leave there."""
    return sorted(path for path in (folder / "records").glob("*.json") if not path.name.startswith("."))


def read_object(folder: Path, path: Path) -> dict[str, Any]:
    """The JSON object in a file that a run wrote inside a board.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or holds no object; the message names the file.
    """
    text = read_text(folder, path)
    try:
        content = strict_json.parse(text)
    except ValueError as error:
        if not is_deliberate(error):
            raise
        raise ValueError(f"{path} is not JSON that can be read ({sentence(error)})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no object: {json.dumps(content)[:40]}")
    return content


def _identity(record: Record) -> tuple[Any, ...]:
    data = record["dataset"]
    group = (data["name"], data["split"], data["fingerprint"], record["metric"]["id"])
    return (record["model"]["label"], *group, record.get("seed"))
