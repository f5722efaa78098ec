"""What records from strangers say stays text in every table, picture and terminal."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from rich.console import Console

from msbench.cli.app import main
from msbench.leaderboard.board import Board
from msbench.leaderboard.render import terminal
from msbench.system.files import write_json
from tests.leaderboard.boards import HOSTILE, as_name, record

TEXTS = {
    **HOSTILE,
    "mathematics": r"$\frac$ _{",
    "macro": r"\input{/etc/passwd} % -- ~ ^ #",
    "console markup": "[/red][link=x]",
    "code": "` <script>x</script> `` |",
    "escape": "\x1b]0;title\x07\x1b[2J",
}


@pytest.fixture(params=TEXTS.values(), ids=TEXTS.keys())
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A board whose second record has a hostile label, dataset, split and target."""
    text = as_name(request.param)
    target = re.sub("[,;=]", " ", text)
    made = record(text)
    made["dataset"] |= {"name": text, "split": text, "tracks": [text]}
    made["inference"] |= {"window": text, "tta": [text, text], "dtype": text}
    made["metric"]["id"] = f"bsseval-v4;targets=band,{target}"
    made["model"]["targets"] = ["band", target]
    scores = made["scores"]["song"]
    made["scores"] = {text: {"band": scores["band"], target: scores["voice"]}}
    for name, content in (("plain", record("plain")), ("hostile", made)):
        write_json(tmp_path / "board" / "records" / f"{name}.json", content)
    return tmp_path / "board"


def visible(text: str) -> bool:
    return not any(unicodedata.category(sign) in ("Cc", "Cf") for sign in text.replace("\n", ""))


def test_tables_hold_text_alone(board: Path) -> None:
    assert main(["board", "build", str(board)]) == 0
    assert main(["board", "check", str(board)]) == 0
    page = (board / "board.md").read_text()
    for line in page.splitlines():
        acting = re.sub(r"`[^`]*`", "", line) if line.startswith("Dataset ") else re.sub(r"\\.", "", line)
        assert not re.search(r"<|`", acting)
    latex = (board / "board.tex").read_text()
    assert not re.search(r"\\(input|frac)", latex)
    for text in (page, latex):
        assert visible(text)
        assert max(map(len, text.splitlines())) < 8000
    for line in latex.splitlines():
        if line.endswith(r"\\"):
            assert re.sub(r"\\[&]", "", line).count("&") in (3, 4, 5)


def test_a_terminal_shows_text_alone(board: Path) -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=80)
    read = Board(board)
    for table in terminal(read.table(), read.title, console.width):
        console.print(table)
    assert visible(shown.getvalue())
    assert all(len(line) <= 80 for line in shown.getvalue().splitlines())


def test_errors_hold_no_control_characters(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(board / "records" / "hostile.json", board / "records" / "twice.json")
    text = (board / "records" / "twice.json").read_text().replace('"system"', '"\\u001b[31mking"')
    (board / "records" / "twice.json").write_text(text)
    assert main(["board", "build", str(board)]) == 0
    assert main(["board", "check", str(board)]) == 1
    for line in capsys.readouterr().err.splitlines():
        assert "king" in line
        assert visible(line)


@pytest.mark.parametrize(("width", "kept"), [(200, 40), (78, 40), (60, 22), (30, 16)])
def test_long_names_are_cut_so_that_a_terminal_has_room_for_scores(width: int, kept: int, tmp_path: Path) -> None:
    for number in range(2):
        write_json(tmp_path / "records" / f"{number}.json", record("x" * 79 + str(number)))
    board = Board(tmp_path)
    shown = io.StringIO()
    console = Console(file=shown, width=width)
    for table in terminal(board.table(), board.title, console.width):
        console.print(table)
    lines = shown.getvalue().splitlines()
    rows = [line for line in lines if line.startswith("xxx")]
    assert [line[:kept] for line in rows] == ["x" * (kept - 1) + "…"] * 2
    for line in rows:
        assert all(re.fullmatch(r"-?\d+\.\d", score) for score in line[kept:].split())
        assert len(line[kept:].split()) == (6 if width >= 60 else 2)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex, of Debian's texlive-latex-recommended")
def test_latex_takes_the_tables(tmp_path: Path) -> None:
    made = record(r"a_b & c% #$ \x{y} ~^ <|> -- 10 dB")
    made["metric"]["id"] = (
        "bsseval-v4;win=1;hop=1;filters=512;agg=median-median;together=as-submitted;targets=band,voice"
    )
    write_json(tmp_path / "records" / "one.json", made)
    assert main(["board", "build", str(tmp_path)]) == 0
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{board.tex}\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
