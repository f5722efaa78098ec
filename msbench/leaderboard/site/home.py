"""A home of boards: the pages of several, and a page in front of them, swapped in whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from msbench.leaderboard.board import Board
from msbench.leaderboard.check import check
from msbench.leaderboard.site.build import copy_assets, environment, fill_site
from msbench.leaderboard.site.encoding import link
from msbench.leaderboard.site.home_cards import HomeCard, home_card
from msbench.system.bounded import shown
from msbench.system.files import clear_parts, replacing
from msbench.system.names import plain_name

CARDS = "boards.json"  # the cards as data; a folder that holds it is ours
_TAKEN = ("assets", CARDS, "index.html")
_PATH = re.compile(r"[\w./-]+")


def publish_boards(folders: Sequence[str | Path], output: str | Path, docs: str = "") -> tuple[Path, list[Path]]:
    """Check boards, and write their pages and a home in front of them: all of it, or nothing where an error is raised.

    Nothing is written into the folders of the boards.

    Args:
        folders: Of the boards; each is published under its own name.
        output: Where to write. What an earlier call wrote there is replaced, and nothing else is.
        docs: Where the documentation is, which the home links to: an address, or a path from `output`; empty for none.

    Returns:
        The page to open, and the folders that were left out because they have no rows yet.

    Raises:
        FileNotFoundError: If there is no such board.
        FileExistsError: If `output` holds something else.
        ValueError: If two boards have one name, a number does not follow from the records, or no board has rows.
    """
    _check_docs(docs)
    boards, empty = _opened([Path(folder) for folder in folders])
    place = Path(output)
    place.parent.mkdir(parents=True, exist_ok=True)
    clear_parts(place)
    with replacing(place, mark=CARDS) as made:
        made.mkdir()
        cards = []
        for name, board in boards.items():
            (made / name).mkdir()
            fill_site(board, made / name, home="../index.html")
            cards.append(home_card(board, name))
        _write_home(made, sorted(cards, key=lambda card: -card.rows), docs)
    return place / "index.html", empty


def _opened(folders: list[Path]) -> tuple[dict[str, Board], list[Path]]:
    boards: dict[str, Board] = {}
    empty = []
    for folder in folders:
        faults = check(folder, pages=False)
        if faults:
            raise ValueError(f"{faults[0]} (msbench board check {folder} lists all that is wrong)")
        board = Board(folder)
        if not board.records and not board.reported:
            empty.append(folder)
            continue
        name = plain_name(folder.resolve().name, "board")
        if name in boards or name in _TAKEN:
            other = boards[name].folder if name in boards else "a file of the home"
            raise ValueError(f"{folder} and {other} have one name, {name}: rename one of them")
        boards[name] = board
    if not boards:
        raise ValueError("no board has a record yet: run one with msbench bench, or copy records into its records/")
    return boards, empty


def _check_docs(docs: str) -> None:
    if docs and link(docs) is None and not _PATH.fullmatch(docs):
        raise ValueError(f"--docs {shown(docs)} is no address: give one as https://..., or a path from the output")


def _write_home(folder: Path, cards: list[HomeCard], docs: str) -> None:
    copy_assets(folder)
    made = environment().get_template("home.html")
    navigation = [("Boards", "index.html")]
    if docs:
        navigation.append(("Documentation", docs))
    page = made.render(site_title="Leaderboards", here="Boards", navigation=navigation, cards=cards, docs=docs)
    (folder / "index.html").write_text(page, "utf-8")
    content = json.dumps([asdict(card) for card in cards], indent=1, ensure_ascii=False)
    (folder / CARDS).write_text(f"{content}\n", "utf-8")
