"""Builds the pages of a board in a temporary folder, then swaps: a build that fails leaves the last good site."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from msbench.leaderboard import display
from msbench.leaderboard.board import Board
from msbench.leaderboard.curves import read_curves
from msbench.leaderboard.exports import exports
from msbench.leaderboard.site.cards import card
from msbench.leaderboard.site.chart_data import chart_data
from msbench.leaderboard.site.encoding import script
from msbench.leaderboard.site.health import health
from msbench.leaderboard.site.methods import methods
from msbench.leaderboard.site.ranking import PAGES, RankingPages
from msbench.leaderboard.site.sound import Sound
from msbench.leaderboard.site.study_page import StudyPage
from msbench.public import VERSION
from msbench.system.files import clear_parts, replacing

PARTS = Path(__file__).parent
EXPORTS = ("board.md", "board.csv", "board.json", "board.tex")


def build_site(board: Board) -> Path:
    """Write the pages of a board to <board>/site/.

    Text exports in the board's folder are copied, so that the site can be published by itself.

    Returns:
        The page to open, <board>/site/index.html.

    Raises:
        OSError: If it cannot be written; the pages that were there before stay.
        FileExistsError: If site/ holds something else than pages of ours.
    """
    place = board.folder / "site"
    clear_parts(place)
    with replacing(place, mark="methods.html") as folder:
        folder.mkdir()
        fill_site(board, folder)
    return place / "index.html"


def fill_site(board: Board, folder: Path, home: str = "") -> None:
    """Write the pages of a board into an empty folder.

    Args:
        board: The board.
        folder: Where to write.
        home: The page of all boards, as the pages link to it; empty for none.
    """
    _Site(board, folder, home).write()


def copy_assets(folder: Path) -> None:
    """Write the scripts and styles that pages load into assets/ of their folder."""
    shutil.copytree(PARTS / "assets", folder / "assets")


def environment() -> Environment:
    """Templates whose every value is escaped; a name that is not given is an error."""
    made = Environment(
        loader=PackageLoader("msbench.leaderboard.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"name": display.name, "or_dash": display.or_dash}
    made.globals["version"] = VERSION
    return made


class _Site:
    def __init__(self, board: Board, folder: Path, home: str) -> None:
        self._board, self._folder, self._home = board, folder, home
        self._environment = environment()
        self._environment.globals |= {"board": board, "site_title": board.title}
        (folder / "data").mkdir()

    def write(self) -> None:
        copy_assets(self._folder)
        for file in (PARTS / "vendor").iterdir():
            if file.suffix == ".js" or file.name.startswith("LICENSE"):
                shutil.copy(file, self._folder / "assets")
        self._downloads = self._write_tables()
        self._environment.globals["downloads"] = [name for name in self._downloads if name in EXPORTS]
        rankings = self._board.rankings()
        pages = [RankingPages(ranking, i == 0) for i, ranking in enumerate(rankings)]
        studies = self._studies()
        self._environment.globals["studies"] = studies
        sound = Sound(self._board.folder, self._folder)
        for ranking in pages:
            self._write_ranking(ranking, pages, sound)
        if not pages:
            self._page("empty.html", "index.html", "Table", None)
        first = pages[0] if pages else None
        for study in studies:
            self._write_study(study, first)
        self._page("methods.html", "methods.html", "Methods", first, methods=methods(pages))
        self._page("health.html", "health.html", "Run health", first, health=health(self._board, sound.faults))

    def _write_tables(self) -> list[str]:
        """Copy the text exports that the board's folder holds, or write all where the site stands for the board."""
        if self._home:
            board = self._board
            texts = exports(board)
            for name, text in texts.items():
                (self._folder / name).write_text(text, "utf-8")
            return list(texts)
        studies = [f"study-{name}.{suffix}" for name in self._board.studies() for suffix in ("md", "csv", "tex", "png")]
        found = [name for name in (*EXPORTS, *studies) if _is_plain_file(self._board.folder / name)]
        for name in found:
            shutil.copy(self._board.folder / name, self._folder)
        return found

    def _write_ranking(self, ranking: RankingPages, pages: list[RankingPages], sound: Sound) -> None:
        for key, content in chart_data(ranking):
            self._script(key, content)
        self._script(f"sound-{ranking.key}", sound.of(ranking))
        for page, template in zip(PAGES, ("table", "compare", "tracks", "cost"), strict=True):
            self._page(f"{template}.html", ranking.file(page), page, ranking, ranking=ranking, rankings=pages)
        for row in ranking.ranking.rows:
            content = card(self._board, ranking, row)
            self._page("card.html", ranking.card(row.model), "", ranking, card=content)

    def _studies(self) -> list[StudyPage]:
        results = self._board.study_results
        if not results or self._board.suite is None:
            return []
        curves = read_curves(self._board.folder)
        return [StudyPage(each, curves, self._board.suite.cells) for each in results]

    def _write_study(self, study: StudyPage, first: RankingPages | None) -> None:
        for key, content in study.data():
            self._script(key, content)
        files = [name for name in self._downloads if name.rpartition(".")[0] == f"study-{study.name}"]
        self._page("study.html", study.file, "", first, study=study, study_downloads=files)

    def _page(self, template: str, file: str, here: str, of: RankingPages | None, **content: Any) -> None:
        navigation = [(page, of.file(page)) for page in PAGES] if of else [("Table", "index.html")]
        navigation += [("Methods", "methods.html"), ("Run health", "health.html")]
        navigation += [("All boards", self._home)] if self._home else []
        made = self._environment.get_template(template).render(here=here, navigation=navigation, **content)
        (self._folder / file).write_text(made, "utf-8")

    def _script(self, key: str, content: Any) -> None:
        (self._folder / "data" / f"{key}.js").write_text(script(key, content), "utf-8")


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
