"""The cards of the home of boards: what each board compares, its best systems, and when it last changed."""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from msbench.leaderboard import display
from msbench.leaderboard.board import Board
from msbench.leaderboard.rankings import Ranking
from msbench.leaderboard.rows import UNRANKED, Row
from msbench.leaderboard.site.encoding import signed
from msbench.leaderboard.site.study_page import study_file
from msbench.metrics.wording import in_words, listed
from msbench.records.metric_id import MetricId
from msbench.system.wording import counted

BEST = 3
_TIERS = ("unverified", "reported", "measured")  # whose systems a card shows first: the last
_SOURCES = ("records", "reported", "reported.yaml")  # of a board's rows


@dataclass(frozen=True)
class Leader:
    """One of the best systems: its median score of each target, and the 95% interval of it where it is known."""

    rank: int
    model: str
    scores: list[tuple[str, str]]


@dataclass(frozen=True)
class HomeCard:
    """A board as the home shows it; a board may rank several times, and the card is of its first ranking.

    Attributes:
        folder: Its name in the published folder.
        leaders_words: Among which systems the leaders are the best.
        others: How many more rankings the board has.
        studies: (name, page) of each study of the board.
        changed: The day on which its newest row came, as 2024-01-31; empty where nothing says so.
    """

    folder: str
    title: str
    rows: int
    compares: str
    dataset: str
    metric_words: str
    metric_id: str
    targets: list[str]
    score: str
    leaders: list[Leader]
    leaders_words: str
    others: int
    studies: list[tuple[str, str]]
    changed: str


def home_card(board: Board, folder: str) -> HomeCard:
    """The card of a board that has rows."""
    ranking, *others = board.rankings()
    metric = MetricId.parse(ranking.metric)
    group = _group(ranking.rows)
    best = [row for row in group if row.rank is not None][:BEST]
    return HomeCard(
        folder,
        board.title,
        len(ranking.rows),
        _compares(ranking),
        f"{ranking.dataset}/{ranking.split}",
        in_words(metric),
        ranking.metric,
        ranking.targets,
        ranking.shown[0],
        _leaders(ranking, best),
        _words_of(best, group),
        len(others),
        [(name, study_file(name)) for name in board.studies()],
        _changed(board.folder),
    )


def _compares(ranking: Ranking) -> str:
    roles = Counter(row.role for row in ranking.rows)
    things = [counted(roles[role], role) for role in ("system", "ceiling", "floor") if roles[role]]
    tracks = max((row.tracks for row in ranking.rows), default=0)
    return listed(things) + (f" on {counted(tracks, 'track')}" if tracks else "")


def _group(rows: list[Row]) -> list[Row]:
    """The systems that are ranked with each other: measured ones where there are, else the largest group."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.role == "system" and row.tier != UNRANKED:
            groups.setdefault((row.tier, row.data), []).append(row)

    def worth(group: list[Row]) -> tuple[int, int]:
        tier = group[0].tier
        return _TIERS.index(tier) if tier in _TIERS else -1, len(group)

    return max(groups.values(), key=worth, default=[])


def _words_of(best: list[Row], group: list[Row]) -> str:
    if not best:
        return ""
    which = f"The best {len(best)} of {len(group)} systems" if len(best) < len(group) else counted(len(best), "system")
    return f"{which} with {group[0].data} training data ({group[0].tier})"


def _leaders(ranking: Ranking, best: list[Row]) -> list[Leader]:
    lines = {}
    for target in ranking.targets:
        comparison = ranking.comparison(target)
        if comparison is not None:
            for line in comparison.systems.to_dict("records"):
                lines[target, line["system"]] = f"{_shown(line['low'])} to {_shown(line['high'])}"
    found = []
    for row in best:
        values = ((target, _shown(row.scores[target][ranking.shown[0]])) for target in ranking.targets)
        scores = [(value, lines.get((target, row.model), "")) for target, value in values]
        found.append(Leader(row.rank or 0, row.model, scores))
    return found


def _shown(value: object) -> str:
    return signed(display.decibels(value))


def _changed(folder: Path) -> str:
    """The day of the last commit to the rows; outside a repository, that on which the newest file was written."""
    paths = [path for name in _SOURCES if (path := folder / name).exists()]
    command = ["git", "-C", str(folder), "log", "-1", "--format=%cs", "--", *(path.name for path in paths)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        found = ""
    if found:
        return found
    files = [each for path in paths for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file()]
    if not files:
        return ""
    return datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC).strftime("%Y-%m-%d")
