"""The pages of a board as files: whole, the same each time, and deaf to what strangers write in records."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml

from msbench.cli.app import main
from msbench.leaderboard.board import Board
from msbench.leaderboard.display import INFINITE, NOISE_DB
from msbench.leaderboard.site import build
from msbench.leaderboard.site.build import build_site
from msbench.leaderboard.site.serve import HOST, server
from tests.leaderboard.boards import write_hostile_board, write_sounding_board


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sounding_board(tmp_path_factory.mktemp("sounding") / "board")
    assert main(["board", "build", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def hostile(board: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = json.loads((board / "records" / "mixture.json").read_text())
    folder = write_hostile_board(tmp_path_factory.mktemp("hostile") / "inner" / "board", record)
    build_site(Board(folder))
    return folder


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_pages_are_the_same_bytes_each_time(board: Path) -> None:
    before = hashes(board / "site")
    build_site(Board(board))
    assert hashes(board / "site") == before
    assert {"index.html", "compare.html", "tracks.html", "cost.html", "methods.html", "health.html"} <= before.keys()
    assert "board.csv" in before


def test_every_link_and_script_is_there(board: Path) -> None:
    class Addresses(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.extend(value for key, value in attributes if key in ("href", "src") and value)

    for page in (board / "site").glob("*.html"):
        found: list[str] = []
        Addresses().feed(page.read_text())
        for address in found:
            assert address.startswith("#") or (page.parent / address).is_file(), (page.name, address)


def test_bars_are_the_intervals_on_one_scale(board: Path) -> None:
    cells = re.findall(
        r'data-view="all t0" data-v="(.+?)" title="95% interval (.+?) to (.+?) dB.*?" '
        r'style="background-position-x:(.+?)%,(.+?)%;background-size:2px 8px,(.+?)% 2px"',
        (board / "site" / "index.html").read_text().replace("−", "-"),
    )
    assert len(cells) == 5
    medians, lows, highs, points, starts, widths = np.array(cells, float).T
    scale = 100 / (highs.max() - lows.min())
    np.testing.assert_allclose(points, (medians - lows.min()) * scale, atol=0.2)
    np.testing.assert_allclose(widths, (highs - lows) * scale, atol=0.2)
    # CSS: a background of width w at p % begins at p % of what it leaves free.
    np.testing.assert_allclose(starts * (100 - widths) / 100, (lows - lows.min()) * scale, atol=0.2)


def test_pages_and_tables_call_the_same_scores_infinite() -> None:
    assert f"const NOISE_DB = {NOISE_DB:.0f};" in (build.PARTS / "assets" / "site.js").read_text()
    assert f'const INFINITE = "{INFINITE}";' in (build.PARTS / "assets" / "site.js").read_text()


def test_a_failed_build_leaves_the_last_good_pages(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hashes(board / "site")

    def fails(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(build, "health", fails)
    with pytest.raises(OSError, match="No space left"):
        build_site(Board(board))
    assert hashes(board / "site") == before
    assert [path.name for path in board.iterdir() if path.name.startswith(".")] == []


def test_a_board_is_built_without_a_broken_record(
    board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "board"
    shutil.copytree(board, folder, ignore=shutil.ignore_patterns("runs"))
    rows = json.loads((folder / "board.json").read_text())["rows"]
    (folder / "records" / "a_broken.json").write_text('{"schema_version": 1,\n "model": ')
    assert main(["board", "build", str(folder)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "a_broken.json" in said[0]
    assert said[0].endswith("the board is built without it")
    made = json.loads((folder / "board.json").read_text())
    assert made["rows"] == rows
    assert len(made["faults"]) == 1
    health = (folder / "site" / "health.html").read_text()
    for text in (made["faults"][0], health):
        assert "records/a_broken.json" in text
        assert str(tmp_path) not in text
    assert main(["board", "check", str(folder)]) == 1
    assert "a_broken.json" in capsys.readouterr().err


def test_records_of_which_none_can_be_read_leave_the_last_good_pages(
    board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "board"
    shutil.copytree(board, folder, ignore=shutil.ignore_patterns("runs"))
    before = hashes(folder / "site")
    for path in (folder / "records").iterdir():
        path.write_text("{")
    assert main(["board", "build", str(folder)]) == 2
    assert "records/mixture.json" in capsys.readouterr().err
    assert hashes(folder / "site") == before


@pytest.mark.parametrize("content", ["[]", "{", '{"dataset": 1}', "null", "[" * 100_000])
@pytest.mark.parametrize("name", ["excerpts.json", "excerpt.json", "mixture.mp3"])
def test_damaged_excerpts_cannot_be_heard(
    board: Path, tmp_path: Path, name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "board"
    shutil.copytree(board, folder, ignore=shutil.ignore_patterns("songs", "site"))
    damaged = next((folder / "runs" / "oracle_irm").rglob(name))
    damaged.write_text(content)
    assert main(["board", "build", str(folder)]) == 0
    said = capsys.readouterr().err
    assert name in said
    assert said.strip().endswith("cannot be heard")
    assert name in (folder / "site" / "health.html").read_text()


def test_excerpts_that_lead_out_are_not_published(
    board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "board"
    shutil.copytree(board, folder, ignore=shutil.ignore_patterns("songs", "site"))
    path = next((folder / "runs" / "oracle_irm").rglob("mixture.mp3"))
    shutil.copy(path, tmp_path / "secret.mp3")
    path.unlink()
    path.symlink_to(tmp_path / "secret.mp3")
    assert main(["board", "build", str(folder)]) == 0
    assert "mixture.mp3 leads out of" in capsys.readouterr().err


def test_no_page_holds_markup_of_a_record(hostile: Path) -> None:
    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            names = [key for key, _ in attributes]
            assert not [key for key in names if key.startswith("on")], (tag, names)
            values = dict(attributes)
            if tag == "script":
                assert (values.get("src") or "").startswith("assets/")
            assert tag != "img"
            for key in ("href", "src"):
                assert ":" not in (values.get(key) or "")
                assert ".." not in (values.get(key) or "")

    for page in (hostile / "site").glob("*.html"):
        content = page.read_text()
        Tags().feed(content)
        assert "\u202e" not in content
        assert "\x1b" not in content
        assert "49" not in re.sub(r"[\d.]{3,}|[0-9a-f]{10}", "", content.replace("{{ 7*7 }}", ""))
        assert len(content) < 400_000
    for script in (hostile / "site" / "data").glob("*.js"):
        assert "</" not in script.read_text()
    index = (hostile / "site" / "index.html").read_text()
    assert "&lt;script&gt;window.hacked=1" in index
    assert "evil\\u202egnp.exe" in index


def test_no_name_of_a_record_becomes_a_path(hostile: Path) -> None:
    outside = hostile.parent.parent
    assert sorted(path.name for path in outside.iterdir()) == ["inner"]
    assert sorted(path.name for path in hostile.parent.iterdir()) == ["board"]
    for path in (hostile / "site").rglob("*"):
        assert re.fullmatch(r"[\w.-]{1,60}", path.name), path
    assert not Path("/tmp/escaped").exists()


def test_commands_of_a_card_are_quoted_for_the_shell(board: Path, tmp_path: Path) -> None:
    record = json.loads((board / "records" / "mixture.json").read_text())
    record["model"]["label"] = "x; touch /tmp/hacked $(id) `id`"
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "one.json").write_text(json.dumps(record))
    build_site(Board(tmp_path))
    cards = [page.read_text() for page in (tmp_path / "site").glob("model-*.html")]
    assert any("&#39;x; touch /tmp/hacked $(id) `id`&#39;" in page for page in cards)


def test_a_card_says_how_the_model_was_run(board: Path, tmp_path: Path) -> None:
    record = json.loads((board / "records" / "mixture.json").read_text())
    record["model"]["label"] = "mixture with all"
    record["inference"] |= {
        "window": "hann",
        "shifts": 3,
        "tta": ["polarity", "swap"],
        "dtype": "bf16",
        "compile": True,
    }
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "one.json").write_text(json.dumps(record))
    build_site(Board(tmp_path))
    (card,) = (page.read_text() for page in (tmp_path / "site").glob("model-*.html"))
    words = "--window hann --shifts 3 --tta polarity,swap --precision bf16 --compile"
    assert words in card
    table = (tmp_path / "site" / "index.html").read_text()
    assert "3 shifts, tta polarity + swap, window hann, bf16" in table


def test_a_board_published_without_its_runs_is_checked(board: Path, tmp_path: Path) -> None:
    published = tmp_path / "board"
    shutil.copytree(board, published, ignore=shutil.ignore_patterns("runs"))
    assert not list(published.rglob("excerpts"))
    assert main(["board", "check", str(published)]) == 0


def test_what_can_be_heard_is_published_once(board: Path) -> None:
    scripts = list((board / "site" / "data").glob("audio-*.js"))
    pictures = list((board / "site" / "pictures").glob("*.png"))
    # Of one track of two: the mixture, two references, two masked estimates, and the mixture's share, the same twice;
    # what the model `mixture` gives is the mixture.
    assert len(scripts) == len(pictures) == 1 + 2 + 2 + 1
    sound = next(path for path in (board / "site" / "data").glob("sound-*.js")).read_text()
    assert '"song 0"' in sound
    assert '"song 1"' not in sound


def test_missing_cells_are_named_with_their_cause(tmp_path: Path, board: Path) -> None:
    (tmp_path / "suite.yaml").write_text(
        f"datasets: [folder]\nroots: {{folder: {board / 'songs'}}}\nmodels: [mixture, oracle_irm]\n"
    )
    suite = Board(tmp_path).suite
    assert suite is not None
    folder = suite.run_folder(suite.cells[0])
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"stage": "failed", "error": "<b>no memory</b>"}))
    assert main(["board", "build", str(tmp_path)]) == 0
    page = (tmp_path / "site" / "health.html").read_text()
    assert "&lt;b&gt;no memory&lt;/b&gt;" in page
    assert "not run yet" in page
    assert re.search(r"failed cells</dt><dd>1<", page)
    table = (tmp_path / "site" / "index.html").read_text()
    assert "mixture-folder" in table
    assert "no memory" not in table  # only the page of the runs depends on runs, which are not published


def test_the_licence_of_a_data_set_decides_what_is_heard(tmp_path: Path, board: Path) -> None:
    from msbench.data.layouts.musdb18hq import MUSDB18HQ
    from msbench.data.opening import open_dataset
    from msbench.evaluation.run import evaluate

    data = open_dataset("folder", board / "songs")
    assert not MUSDB18HQ.excerpts_allowed
    data.excerpts_allowed = False
    with pytest.raises(ValueError, match="licence of 'folder' does not let its sound be published"):
        evaluate("mixture", data, output=tmp_path, excerpts=1)
    data.excerpts_allowed = True
    with pytest.raises(ValueError, match="need an output folder"):
        evaluate("mixture", data, excerpts=1)


def test_excerpts_are_added_to_what_was_scored_without_them(tmp_path: Path, board: Path) -> None:
    from msbench.data.opening import open_dataset
    from msbench.evaluation.run import evaluate

    data = open_dataset("folder", board / "songs")
    without = evaluate("mixture_share", data, output=tmp_path)
    with_them = evaluate("mixture_share", data, output=tmp_path, excerpts=1)
    assert without["scores"] == with_them["scores"]
    kept = sorted(path.name for path in (tmp_path / "excerpts" / "test" / "song 0").iterdir())
    assert kept == [
        "estimate.band.mp3",
        "estimate.voice.mp3",
        "excerpt.json",
        "mixture.mp3",
        "reference.band.mp3",
        "reference.voice.mp3",
    ]


@pytest.fixture
def served(board: Path) -> Iterator[int]:
    with server(board, 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.server_port
        running.shutdown()
        thread.join()


def test_the_pages_are_served_from_this_machine_alone(served: int, board: Path) -> None:
    connection = http.client.HTTPConnection(HOST, served, timeout=10)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.status == 200
    assert response.read() == (board / "site" / "index.html").read_bytes()
    connection.request("GET", "/../records/mixture.json")
    assert connection.getresponse().status == 404


def test_what_cannot_be_served_is_said(
    served: int, board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", "serve", str(tmp_path)]) == 2
    assert "msbench board build" in capsys.readouterr().err
    assert main(["board", "serve", str(board), "--port", str(served)]) == 2
    assert "give another with --port" in capsys.readouterr().err


def test_the_workflow_runs_what_is_there() -> None:
    root = Path(__file__).parents[3]
    workflow = yaml.safe_load((root / ".github" / "workflows" / "board.yml").read_text())
    assert "pull_request" in workflow[True]  # YAML's own reading of the key `on`
    assert workflow["permissions"] == {"contents": "read"}
    commands = [step["run"] for step in workflow["jobs"]["build"]["steps"] if "run" in step]
    assert commands == [
        "make pages",
        "make --silent review BASE=build/base | sed 's/^/    /' >> \"$GITHUB_STEP_SUMMARY\"",
    ]
    done = subprocess.run(["make", "-n", "pages"], cwd=root, capture_output=True, text=True, check=True)
    assert "mkdocs build --strict" in done.stdout
    assert "msbench board publish leaderboards/" in done.stdout
