"""Studies on a board: in Python, in every published file, and what `board check` makes of those."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

import msbench
from msbench.cli.app import main
from msbench.leaderboard.board import Board
from msbench.leaderboard.study_points import panels
from msbench.leaderboard.study_render import markdown, terminal
from msbench.leaderboard.study_words import few_tracks
from msbench.system.files import write_json
from tests.leaderboard.boards import MARKUP, record
from tests.leaderboard.studies import L1, SUITE, write_study_board
from tests.leaderboard.test_exports import visible

REPORTED = """\
- {system: "Paper, depth 3", citation: "Some One, 2020", read_in: "Table 2", data: standard, study: depth,
   factors: {separator.depth: 3, separator.skip: true}, SDR: {voice: 3.0}, MAD: {SDR: {voice: 1.5}}}
- {system: "Paper, depth 5", citation: "Some One, 2020", read_in: "Table 2", data: standard, study: depth,
   factors: {separator.depth: 5, separator.skip: true}, SDR: {voice: 4.0}}
- {system: "Slides, depth 4", citation: "Slides", read_in: "Page 3", data: standard, study: depth,
   factors: {separator.depth: 4}, other: {l1-spectrogram: {voice: 1.304e-3}}}
"""
FAILED = "net-depth3-skip_false"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_study_board(tmp_path_factory.mktemp("study") / "made", without=(FAILED,))
    (folder / "reported.yaml").write_text(REPORTED)
    assert main(["board", "build", str(folder)]) == 0
    return folder


def line(table: pd.DataFrame, **wanted: Any) -> pd.Series:
    (found,) = (row for _, row in table.iterrows() if all(row[key] == value for key, value in wanted.items()))
    return found


def test_a_study_in_python(board: Path) -> None:
    read = msbench.Board(board)
    assert read.studies() == ("depth",)
    table = read.study("depth")
    assert table.equals(read.study())
    scored = table[table["verdict"] != "missing"]
    assert len(scored) == 6 * 2 * 4  # cells, targets, scores: SDR, SIR, SAR and the distance of spectrograms
    own = line(table, label="net-depth3-skip_true", target="voice", score="SDR")
    # Two steps of depth below: -0.2 times the track's number, 1 to 8; both seeds lie 0.1 beside the median.
    assert own["difference"] == pytest.approx(-0.9)
    assert own["median"] == pytest.approx(4.5 * 0.8 + 0.5 + 0.1)
    assert own["seed_spread"] == pytest.approx(0.2)
    assert own["p"] == 2 / 256
    assert own["p_holm"] == pytest.approx(5 * 2 / 256)
    assert (own["verdict"], own["better"], own["seeds"], own["tracks"], own["common"]) == ("worse", "higher", 2, 8, 8)
    assert (own["separator.depth"], own["separator.skip"]) == (3, True)
    assert line(table, label="other", target="voice", score=L1)["better"] == "lower"
    missing = table[table["verdict"] == "missing"]
    assert missing["label"].tolist() == [FAILED, FAILED]  # two seeds
    assert missing["cause"].tolist() == ["not run yet", "not run yet"]


def test_main_effects_in_python(board: Path) -> None:
    effects = msbench.Board(board).main_effects()
    own = effects[(effects["target"] == "voice") & (effects["score"] == "SDR")]
    assert own[["factor", "level", "baseline_level", "combinations"]].to_numpy().tolist() == [
        ["separator.depth", "3", "5", 1],
        ["separator.depth", "4", "5", 1],
        ["separator.skip", "false", "true", 2],
    ]
    assert own["difference"].tolist() == pytest.approx([-0.9, -0.45, -0.5])


def test_what_is_no_study_is_said(board: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"no study 'dept'. Did you mean depth\?"):
        Board(board).study("dept")
    write_json(tmp_path / "records" / "one.json", record("one"))
    plain = Board(tmp_path)
    assert plain.studies() == ()
    with pytest.raises(ValueError, match="has no study: give an entry of its suite `sweep:`"):
        plain.study()


def test_every_file_says_the_same(board: Path) -> None:
    page = (board / "study-depth.md").read_text()
    assert "| net-depth3-skip_true | 3 | true | 2 | 8 |" in page
    assert "-0.90 (-1.40 to -0.35), p 0.039, worse |" in page
    assert "| separator.skip | false | true | 2 |" in page
    assert f"Missing:\n\n- {FAILED}-folder-s0-" in page
    assert "### l1-spectrogram, lower is better" in page
    assert "| Paper, depth 3 | 3 | true | 3.00 ± 1.50 (MAD); -1.00 |" in page
    assert "| Slides, depth 4 | 4 | – | – | 0.0013 |" in page
    with (board / "study-depth.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    kinds = [line["kind"] for line in lines]
    assert {kind: kinds.count(kind) for kind in kinds} == {"cell": 48, "missing": 2, "main effect": 24, "reported": 3}
    own = next(line for line in lines if line["label"] == "net-depth3-skip_true" and line["target"] == "voice")
    assert (own["difference"], own["verdict"], own["separator.skip"]) == ("-0.9", "worse", "true")
    latex = (board / "study-depth.tex").read_text()
    assert "4.20$^{-}$" in latex
    assert r"\tiny $-$0.90 ($-$1.40, $-$0.35)" in latex
    assert (board / "study-depth.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_records_give_the_same_bytes(board: Path, tmp_path: Path) -> None:
    again = tmp_path / "made"
    shutil.copytree(board, again, ignore=shutil.ignore_patterns("study-*", "site"))
    assert main(["board", "build", str(again)]) == 0
    for path in board.glob("study-*"):
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_the_check_computes_studies_again(board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clone = tmp_path / "made"
    shutil.copytree(board, clone, ignore=shutil.ignore_patterns("runs", "net.yaml"))
    assert main(["board", "check", str(clone)]) == 0
    path = clone / "study-depth.md"
    path.write_text(path.read_text().replace("p 0.039, worse", "p 0.039, better", 1))
    assert main(["board", "check", str(clone)]) == 1
    assert "study-depth.md, line" in capsys.readouterr().err
    shutil.copy(board / "study-depth.md", path)
    shutil.copy(board / "study-depth.csv", clone / "study-gone.csv")
    assert main(["board", "check", str(clone)]) == 1
    assert "study-gone.csv is of no study of the suite: remove it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (4, "With 4 tracks, the smallest p that the test can give is 0.125: no difference can be distinguished here"),
        (6, "With 6 tracks, the smallest p that the test can give is 0.03125, and 0.1875 after Holm's correction"),
        (8, ""),  # six times 2/256 is below 0.05
    ],
)
def test_few_tracks_are_said_to_be_too_few(count: int, said: str, tmp_path: Path) -> None:
    folder = write_study_board(tmp_path / "made")
    for path in (folder / "records").iterdir():
        made = json.loads(path.read_text())
        kept = made["dataset"]["tracks"][:count]
        made["dataset"]["tracks"] = kept
        made["scores"] = {track: made["scores"][track] for track in kept}
        write_json(path, made)
    (results,) = Board(folder).study_results
    warning = few_tracks(results.parts[0])
    assert warning.startswith(said) if said else warning == ""
    assert warning in markdown(results, "title")


def test_a_baseline_that_failed_is_said(tmp_path: Path) -> None:
    folder = write_study_board(tmp_path / "made", without=("net-depth5-skip_true",))
    assert main(["board", "build", str(folder)]) == 0
    assert main(["board", "check", str(folder)]) == 0
    assert "The baseline has no record here" in (folder / "study-depth.md").read_text()
    assert set(Board(folder).study()["verdict"]) == {"not compared", "missing"}
    assert not (folder / "study-depth.png").exists()


def test_a_study_of_which_nothing_was_run_has_files(tmp_path: Path) -> None:
    every = ("other", *(f"net-depth{depth}-skip_{skip}" for depth in (3, 4, 5) for skip in ("true", "false")))
    folder = write_study_board(tmp_path / "made", without=every)
    assert main(["board", "build", str(folder)]) == 0
    assert main(["board", "check", str(folder)]) == 0
    assert set(Board(folder).study()["verdict"]) == {"missing"}


def test_panels_place_levels_and_series(board: Path) -> None:
    (results,) = Board(board).study_results
    each = next(score for score in results.parts[0].scores if (score.target, score.score) == ("voice", "SDR"))
    depth, skip = panels(results, each)
    assert (depth.factor, depth.numeric, depth.levels) == ("separator.depth", True, ["3", "4", "5"])
    assert (skip.factor, skip.numeric, skip.levels) == ("separator.skip", False, ["true", "false"])
    baseline = next(point for point in depth.points if point.label == "net-depth5-skip_true")
    assert (baseline.position, baseline.difference, baseline.low) == (5.0, 0.0, None)
    reported = [(point.position, point.difference) for point in depth.points if point.reported]
    assert reported == [(3.0, -1.0), (5.0, 0.0)]
    assert {point.series for point in depth.points if not point.reported} == {
        "separator.skip true",
        "separator.skip false",
    }
    assert "other" not in {point.label for point in depth.points}  # it has no depth


HOSTILE = [
    MARKUP,
    "$\\frac$ _{ \\input{x} % ~ ^ #",
    "=HYPERLINK(1)",
    "{{ 7*7 }}",
    "x | y ` *z* [a](b)",
    "[/red][link=x]",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose name, labels and factors' values are hostile, as far as a suite takes them."""
    suite = copy.deepcopy(SUITE)
    values = [re.sub(r"[/\\]", " ", text)[:60] for text in HOSTILE]
    suite["seeds"] = [0]
    suite["models"] = [
        {
            "recipe": "net.yaml",
            "study": "study <script> &",
            "sweep": {"data.x": {text: i for i, text in enumerate(values)}},
        }
    ]
    folder = write_study_board(
        tmp_path_factory.mktemp("hostile") / "made", suite, lambda label, _, __, track: len(label) + track
    )
    assert main(["board", "build", str(folder)]) == 0
    return folder


def test_hostile_names_stay_text_in_files(hostile: Path) -> None:
    assert main(["board", "check", str(hostile)]) == 0
    page = (hostile / "study-study <script> &.md").read_text()
    for text in page.splitlines():
        assert "<script" not in re.sub(r"`[^`]*`", "", text).replace("&lt;script", "")
    latex = (hostile / "study-study <script> &.tex").read_text()
    assert not re.search(r"\\(input|frac)", latex)
    for cells in csv.reader(io.StringIO((hostile / "study-study <script> &.csv").read_text())):
        assert not any(cell[:1] in ("=", "@") for cell in cells)
    console = Console(file=io.StringIO(), width=80)
    for table in terminal(Board(hostile).study_results[0], console.width):
        console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert visible(shown)
    assert "[/red][link=x]" in shown.replace(" ", "") or "…" in shown
    for text in (page, latex):
        assert visible(text)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex, of Debian's texlive-latex-recommended")
@pytest.mark.parametrize("name", ["board", "hostile"])
def test_latex_takes_a_study(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder: Path = request.getfixturevalue(name)
    shutil.copy(next(folder.glob("study-*.tex")), tmp_path / "study.tex")
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{study.tex}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_terminal_shows_the_score_that_ranks(board: Path) -> None:
    console = Console(file=io.StringIO(), width=80)
    for table in terminal(Board(board).study_results[0], console.width):
        console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "study depth: SDR (folder/test); ▲ better, ▼ worse than the baseline" in " ".join(shown.split())
    assert re.search(r"net-depth3-skip_true +3\.20 +-0\.90▼ +4\.20 +-0\.90▼", shown)
    assert all(len(each) <= 80 for each in shown.splitlines())
