"""The home of boards: whole or not at all, nothing of others replaced, every link there, usable by everyone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from msbench.cli.app import main
from msbench.leaderboard.site import home
from msbench.system.files import write_json
from tests.leaderboard.boards import HOSTILE, altered, record
from tests.leaderboard.site.pages import Site, accessibility_faults, serving

SISEC = Path(__file__).parents[3] / "leaderboards" / "musdb18"


def write_board(folder: Path, models: int = 5) -> Path:
    for number in range(models):
        made = altered(record("net"), f"net {number}", 5.0 - number, number)
        write_json(folder / "records" / f"net-{number}.json", made)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    boards = [write_board(folder / "boards" / "first"), write_board(folder / "boards" / "second", 1)]
    (folder / "boards" / "none").mkdir()
    paths = [*map(str, boards), str(folder / "boards" / "none"), str(SISEC)]
    assert main(["board", "publish", *paths, "-o", str(folder / "out"), "--docs", "../docs/"]) == 0
    return folder


def test_a_card_says_what_a_board_compares(published: Path) -> None:
    cards = {card["folder"]: card for card in json.loads((published / "out" / home.CARDS).read_text())}
    assert list(cards) == ["musdb18", "first", "second"]  # by the number of rows
    sisec = cards["musdb18"]
    assert re.fullmatch(r"\d+ systems, 5 ceilings, and 1 floor on 50 tracks", sisec["compares"])
    assert sisec["metric_words"].startswith("SDR by BSSEval v4: median over 1 s windows, then over tracks")
    assert [leader["model"] for leader in sisec["leaders"]] == ["TAK1", "UHL2", "UHL1"]
    value, interval = sisec["leaders"][0]["scores"][sisec["targets"].index("vocals")]
    assert value == "6.60"
    low, high = map(float, interval.split(" to "))
    assert low < 6.6 < high
    assert sisec["others"] >= 1
    assert cards["first"]["leaders_words"] == "The best 3 of 5 systems with standard training data (measured)"
    assert cards["second"]["leaders_words"].startswith("1 system with")


def test_every_link_of_the_home_and_of_its_boards_is_there(published: Path) -> None:
    class Addresses(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.extend(value for key, value in attributes if key in ("href", "src") and value)

    out = published / "out"
    for page in out.rglob("*.html"):
        found: list[str] = []
        Addresses().feed(page.read_text())
        for address in found:
            inside = address.startswith(("#", "https://", "../docs/")) or (page.parent / address).is_file()
            assert inside, (page.name, address)
    assert 'href="../docs/"' in (out / "index.html").read_text()
    assert 'href="../index.html">All boards' in (out / "first" / "methods.html").read_text()
    assert (out / "first" / "board.csv").is_file()  # though its folder has none


def test_the_boards_themselves_stay_as_they_are(published: Path) -> None:
    assert {path.parts[-2] for path in (published / "boards").rglob("*") if path.is_file()} == {"records"}


METRIC_ID = "bsseval(-v4)?;"  # one paper does not say its version


def test_each_page_names_its_metric_in_words_and_folds_the_id(published: Path) -> None:
    for page in (published / "out").glob("*/*.html"):
        text = page.read_text()
        if page.name == "health.html":
            continue
        assert "SDR by BSSEval" in text, page
        opened = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
        table_of_record = re.sub(r"<dt>(id|beside)</dt>.*?</dd>", "", opened)
        assert not re.search(METRIC_ID, table_of_record), page
        assert re.search(METRIC_ID, text), page


def test_the_same_boards_give_the_same_bytes_and_replace_the_earlier_ones(published: Path, tmp_path: Path) -> None:
    out, board = tmp_path / "out", published / "boards" / "first"
    other = write_board(tmp_path / "other", 1)
    assert main(["board", "publish", str(board), str(other), "-o", str(out)]) == 0
    assert (out / "other").is_dir()
    assert main(["board", "publish", str(board), "-o", str(out)]) == 0
    before = content(out)
    assert "other/index.html" not in before
    assert "Documentation" not in (out / "index.html").read_text()
    assert main(["board", "publish", str(board), "-o", str(out)]) == 0
    assert content(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


def test_a_folder_of_others_is_not_replaced(published: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    assert main(["board", "publish", str(published / "boards" / "second"), "-o", str(tmp_path / "out")]) == 2
    assert "msbench has not written it" in capsys.readouterr().err
    assert content(tmp_path) == {"out/thesis.tex": b"mine"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("no record", "no board has a record yet"),
        ("broken record", "net-0.json"),
        ("stale table", "build it again"),
        ("twice", "have one name, board"),
        ("no board", "no board"),
        ("docs", "--docs 'javascript:x' is no address"),
        ("assets", "a file of the home have one name, assets"),
    ],
)
def test_what_cannot_be_published_is_said_before_anything_is_written(
    tmp_path: Path, fault: str, said: str, capsys: Any
) -> None:
    board = write_board(tmp_path / "board", 1)
    folders, docs = [board], "javascript:x" if fault == "docs" else "../docs"
    if fault == "no record":
        shutil.rmtree(board / "records")
    elif fault == "broken record":
        (board / "records" / "net-0.json").write_text("{")
    elif fault == "stale table":
        assert main(["board", "build", str(board)]) == 0
        (board / "board.md").write_text("ours is best")
    elif fault == "twice":
        folders.append(write_board(tmp_path / "other" / "board", 1))
    elif fault == "no board":
        folders = [tmp_path / "absent"]
    elif fault == "assets":
        folders = [write_board(tmp_path / "assets", 1)]
    capsys.readouterr()
    out = tmp_path / "out"
    assert main(["board", "publish", *map(str, folders), "-o", str(out), "--docs", docs]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not out.exists()


def test_a_failed_publication_leaves_the_last_one(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, board = tmp_path / "out", published / "boards" / "second"
    home.publish_boards([board], out)
    before = content(out)

    def fails(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(home, "home_card", fails)
    with pytest.raises(OSError, match="No space left"):
        home.publish_boards([board], out)
    assert content(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_the_day_is_that_of_the_last_commit_to_the_rows(tmp_path: Path) -> None:
    board = write_board(tmp_path / "board", 1)
    os.utime(board / "records" / "net-0.json", (0, 0))
    home.publish_boards([board], tmp_path / "out")
    assert json.loads((tmp_path / "out" / home.CARDS).read_text())[0]["changed"] == "1970-01-01"
    names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **names, "GIT_COMMITTER_DATE": "2001-02-03T12:00:00Z"}
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "rows"]):
        subprocess.run(["git", *command], cwd=board, env=environment, check=True)
    home.publish_boards([board], tmp_path / "out")
    assert json.loads((tmp_path / "out" / home.CARDS).read_text())[0]["changed"] == "2001-02-03"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    board = write_board(folder / "a b&c", 2)
    for number, path in enumerate(sorted((board / "records").iterdir())):
        made = json.loads(path.read_text())
        made["model"]["label"] = HOSTILE[("markup", "end of a script")[number]]
        path.write_text(json.dumps(made))
    home.publish_boards([board], folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def address(published: Path) -> Iterator[str]:
    with serving(published / "out") as found:
        yield found


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_the_home_is_accessible_and_fits_a_phone(browser: Any, address: str, colors: str) -> None:
    site = Site(browser, address, "")
    for width in (375, 1400):
        tab = site.open("index", color_scheme=colors, viewport={"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("article").count() == 3
        assert accessibility_faults(tab) == []
        tab.get_by_role("link", name="second").click()
        tab.get_by_role("link", name="All boards").click()
        assert tab.locator("h1").inner_text() == "Leaderboards of music source separation"
        tab.context.close()
    site.check()


def test_names_of_strangers_stay_text_on_the_home(browser: Any, hostile: Path) -> None:
    site = Site(browser, hostile.as_uri(), "")
    tab = site.open("index")
    assert "<script>window.hacked=1</script>" in tab.locator("article").inner_text()
    assert tab.evaluate("window.hacked") is None
    tab.get_by_role("link", name="a b&c").click()
    assert tab.locator("h1").inner_text() == "a b&c"
    tab.context.close()
    site.check()
