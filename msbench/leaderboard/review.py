"""What a reviewer has to look at in the records that a change brings to a board.

`check` says whether numbers follow from records. It cannot say whose records they are: one more seed of another's
model, or a floor that moves the gains of all rows, is as well-formed as any other record.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

from msbench.leaderboard.board import Board
from msbench.leaderboard.files import BoardWarning, read_records, record_paths
from msbench.system.bounded import LONGEST


class _Group(NamedTuple):
    """Records that are ranked together."""

    dataset: str
    split: str
    metric: str


def review(folder: str | Path, against: str | Path) -> list[str]:
    """Compare the records of a board with those that it had before.

    Args:
        folder: The board.
        against: The same board without the change; all records are new where it is not there.

    Returns:
        A sentence for each: records that are gone, changed, of a label that is there already, or of a floor or ceiling;
        and for each group of rows whose gains a floor moves, by how much.

    Raises:
        FileNotFoundError: If there is no such board.
    """
    folder, against = Path(folder), Path(against)
    if not folder.is_dir():
        raise FileNotFoundError(f"no board {folder}: give a folder with records/ in it")
    now, before = _contents(folder), _contents(against)
    ours, faults = read_records(folder)
    theirs = {path.name: record for path, record in read_records(against)[0].items()}
    owners = {record["model"]["label"]: name for name, record in theirs.items()}
    found = [f"{name} is gone" for name in before if name not in now]
    found += [f"{name} is changed" for name in before if name in now and now[name] != before[name]]
    found += list(faults.values())
    for path, record in ours.items():
        if now[path.name] == before.get(path.name):
            continue
        label, role = record["model"]["label"], record["model"]["role"]
        if path.name not in before and label in owners:
            found.append(f"{path.name} is one more record of '{label}', of which there is {owners[label]}")
        if role != "system":
            found.append(f"{path.name} is of a {role}, '{label}'")
    return [*found, *_moved_floors(folder, against)]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in record_paths(folder) if _is_small(path)}


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= LONGEST  # what is larger is no record


def _moved_floors(folder: Path, against: Path) -> list[str]:
    """Each target whose higher floor is another than before."""
    now, before = _floors(folder), _floors(against)
    return [
        f"the floor of {target} on {group.dataset}/{group.split}, {group.metric}, moves from "
        f"{before[group, target]:.2f} to {level:.2f} dB, and all gains with it"
        for (group, target), level in now.items()
        if (group, target) in before and abs(level - before[group, target]) > 0.005
    ]


def _floors(folder: Path) -> dict[tuple[_Group, str], float]:
    if not folder.is_dir():
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BoardWarning)  # faults are said already
        rankings = Board(folder).rankings()
    found: dict[tuple[_Group, str], float] = {}
    for ranking in rankings:
        group = _Group(ranking.dataset, ranking.split, ranking.metric)
        for row in ranking.rows:
            for target, scores in row.scores.items():
                level = scores[ranking.shown[0]]
                if row.role == "floor" and level is not None:
                    found[group, target] = max(level, found.get((group, target), level))
    return found
