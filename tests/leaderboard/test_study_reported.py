"""Figures of papers beside a study: their format, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from msbench.leaderboard.board import Board
from msbench.leaderboard.study_chart import study_chart
from msbench.leaderboard.study_reported import read_study_figures
from tests.leaderboard.studies import write_study_board

FIGURE = "system: s, citation: c, data: standard, study: depth"
OTHER, SLIDES = FIGURE.replace("system: s", "system: t"), FIGURE.replace("citation: c", "citation: d")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study_board(tmp_path_factory.mktemp("reported") / "boards" / "made")


def test_differences_are_to_the_baseline_of_the_same_paper(folder: Path) -> None:
    (folder / "reported.yaml").write_text(f"""
- {{{FIGURE}, factors: {{separator.depth: 3, separator.skip: true}}, SDR: {{voice: 1.0, band: 2.0}}}}
- {{{OTHER}, factors: {{separator.depth: 5, separator.skip: true}}, SDR: {{voice: 4.0}}}}
- {{{SLIDES}, factors: {{separator.depth: 4}}, other: {{l1-spectrogram: {{voice: 0.1}}}}}}
""")
    board = Board(folder)
    (results,) = board.study_results
    lines = results.reported
    assert [line.is_baseline for line in lines] == [False, True, False]
    assert [line.differences for line in lines] == [{("voice", "SDR"): -3.0}, {}, {}]
    # Those with SDR are rows of the board too, as ever; a figure of another score alone is not.
    assert [row["model"]["label"] for row in board.reported] == ["s", "t"]
    assert lines[2].figure.metric == ""


def test_a_figure_of_a_neighboring_board_is_written_once(folder: Path) -> None:
    neighbor = folder.parent / "neighbor"
    neighbor.mkdir(exist_ok=True)
    (neighbor / "reported.yaml").write_text(
        "- {system: u, citation: Paper, data: standard, metric: bsseval;agg=median, SDR: {voice: 4.5}}\n"
    )
    (folder / "reported.yaml").write_text(
        "- {board: neighbor, system: u, study: depth, factors: {separator.depth: 5}, MAD: {SDR: {voice: 2.5}}}\n"
    )
    (figure,) = read_study_figures(folder)
    assert (figure.citation, figure.metric, figure.scores) == ("Paper", "bsseval;agg=median", {("voice", "SDR"): 4.5})
    assert figure.deviations == {("voice", "SDR"): 2.5}
    assert Board(folder).reported == []


def test_a_picture_names_each_series_and_gives_its_title_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: (drawn.append(figure), Path(path).touch()))
    title = "A title that is longer than the panels of the picture are wide, so that it is wrapped"

    def legends() -> list[str]:
        (results,) = Board(folder).study_results
        study_chart(results, title, tmp_path / "a.png")
        each = (axis.get_legend() for axis in drawn[-1].axes)
        return ["" if one is None else ", ".join(text.get_text() for text in one.get_texts()) for one in each]

    (folder / "reported.yaml").unlink(missing_ok=True)
    above = ["separator.skip true, separator.skip false", "separator.depth 3, separator.depth 4, separator.depth 5"]
    assert legends() == [*above, "", ""]  # of the first target, and of the second
    assert drawn[0].get_suptitle().replace("\n", " ").startswith(title)
    figure = f"- {{{FIGURE}, factors: {{separator.depth: 3, separator.skip: true}}, SDR: {{voice: 1.0}}}}\n"
    other = f"- {{{OTHER}, factors: {{separator.depth: 5, separator.skip: true}}, SDR: {{voice: 2.0}}}}\n"
    (folder / "reported.yaml").write_text((figure + other).replace("citation: c", "citation: " + "A long one. " * 9))
    assert legends()[:2] == above
    assert legends()[2].endswith(" (separator.skip true)")
    assert legends()[3].endswith(" (separator.depth 5)")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (f"{FIGURE}, SDR: {{voice: 1}}, factors: [3]", "factors are the study's"),
        (f"{FIGURE}, SDR: {{voice: 1}}, factors: {{separator.depth: [3]}}", "neither text nor a number"),
        (f"{FIGURE}, SDR: {{voice: 1}}, factors: {{separator.dept: 3}}", "Did you mean separator.depth"),
        (f"{FIGURE.replace('depth', 'dept')}, SDR: {{voice: 1}}", "the suite has no study 'dept'. Did you mean depth"),
        (f"{FIGURE}, other: {{l1-spectrogram: {{voice: x}}}}", "other: l1-spectrogram of voice is 'x', not a number"),
        (f"{FIGURE}, other: {{l1-spectrogram: 3}}", "other: l1-spectrogram is 3, not a value per target"),
        (f"{FIGURE}, other: 3", "other is a value per score and target"),
        (f"{FIGURE}, SDR: {{voice: 1}}, MAD: {{SDR: 3}}", "MAD: SDR is 3"),
        (FIGURE, "it has no SDR"),
        ("system: s, study: depth, SDR: {voice: 1}", "it has no citation"),
        (f"{FIGURE}, SDR: {{voice: 1}}, factor: x", "unknown field 'factor'"),
        ("system: s, citation: c, data: standard, SDR: {voice: 1}, factors: {a: 1}", "factors is of a figure beside a"),
        ("study: 3, system: s", "study is the name of one of the suite's studies, not 3"),
        ("board: a/secret, system: s, study: depth", "holds a slash"),
        ("board: nowhere, system: s, study: depth", "name a board that lies next to this one"),
    ],
)
def test_what_is_wrong_with_a_figure_is_said(folder: Path, entry: str, why: str) -> None:
    (folder / "reported.yaml").write_text(f"- {{{entry}}}\n")
    with pytest.raises(ValueError, match=r"reported\.yaml, entry 1: .*") as told:
        Board(folder)
    assert why in str(told.value)
