"""Rows of others, tiers, exports, and the check of what is published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from msbench import records
from msbench.cli.app import main
from msbench.leaderboard import reported, sisec18
from msbench.leaderboard.board import Board
from msbench.leaderboard.publish import publish
from msbench.leaderboard.site.build import build_site
from msbench.records.metric_id import BSSEVAL
from msbench.system.files import write_json
from tests.leaderboard.boards import record
from tests.tiny import write_songs

MUSDB18 = Path(__file__).parents[2] / "leaderboards" / "musdb18"
MEDIANS = {  # of leaderboard.md: vocals, drums, bass, other, accompaniment
    "TAK1": (6.60, 6.43, 5.16, 4.15, 12.83),
    "UHL2": (5.93, 5.92, 5.03, 4.19, 12.23),
    "STL2": (3.25, 4.22, 3.21, 2.25),
    "IRM1": (8.52, 7.33, 6.18, 6.92, 14.50),
    "MIX": (1.12, 1.33, 0.67, 1.16, 6.32),
}
HEADER = "method,track,target,frames,SDR,ISR,SIR,SAR\n"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "records").mkdir()
    for name in ("one", "two"):
        write_json(tmp_path / "records" / f"{name}.json", record(name))
    assert main(["board", "build", str(tmp_path)]) == 0
    return tmp_path


@pytest.mark.parametrize("system", MEDIANS)
def test_sisec_2018_has_its_medians(system: str) -> None:
    table = Board(MUSDB18).table()
    rows = table[table["model"] == system]
    targets = ("vocals", "drums", "bass", "other", "accompaniment")
    for target, median in zip(targets, MEDIANS[system], strict=False):
        (value,) = rows[f"{target} SDR"].dropna()
        assert round(value, 2) == median
    assert set(rows["tier"]) == {"reported"}
    assert set(rows["data"]) == {"standard"}


def test_sisec_2018_has_the_ids_of_what_museval_scored_together() -> None:
    pair, stems = Board(MUSDB18).rankings()[:2]
    assert [pair.metric, stems.metric] == [str(BSSEVAL.of(sisec18.PAIR)), str(BSSEVAL.of(sisec18.STEMS))]
    assert len(pair.rows) == 27
    of_stems = {row.model: {target for target, of in row.scores.items() if of["SDR"] is not None} for row in stems.rows}
    assert of_stems["TAK1"] == {"drums", "bass", "other"}  # its vocals were scored against the accompaniment
    assert {name for name, found in of_stems.items() if len(found) == 4} == {"HEL1", "RGT1", "RGT2", "STL2"}
    # ranked by the targets that most have: four of them do not stand above the others for their vocals
    assert next(row.model for row in stems.rows if row.role == "system" and row.data == "standard") == "TAK1"


def test_what_is_wrong_with_a_published_row_is_said_where_it_came_from() -> None:
    noted = {record["model"]["name"]: record["source"] for record in reported.read_reported(MUSDB18)}
    assert "numerical faults" in noted["MWF"]
    assert "numerical faults" not in noted["IRM2"]


def test_a_campaign_that_an_earlier_msbench_imported_opens(tmp_path: Path) -> None:
    earlier = str(replace(BSSEVAL.with_setting("together=as-submitted"), targets=("vocals", "drums")))
    content = {"source": "a campaign", "dataset": "musdb18", "split": "test", "metric": earlier}
    scores = {"vocals": [[1.0, 2.0, 3.0, 4.0]]}
    system = {"A": {"role": "system", "data": "standard", "scores": scores}}
    (tmp_path / "reported").mkdir()
    whole = {**content, "columns": list(records.METRICS), "tracks": ["song"], "systems": system}
    write_json(tmp_path / "reported" / "sisec18.json", whole)
    (row,) = Board(tmp_path).rankings()[0].rows
    assert (row.metric, row.scores["vocals"]["SDR"], row.scores["drums"]["SDR"]) == (earlier, 1.0, None)


def test_ranks_are_counted_within_one_kind_of_training_data() -> None:
    pair, stems = ({row.model: row for row in ranking.rows} for ranking in Board(MUSDB18).rankings()[:2])
    for rows, best in ((pair, "TAK2"), (stems, "TAU1")):
        assert (rows[best].data, rows[best].rank) == ("extra", 1)
        assert (rows["TAK1"].data, rows["TAK1"].rank) == ("standard", 1)


@pytest.mark.parametrize("name", ["musdb18", "ikala", "medleydb", "moisesdb"])
def test_the_published_boards_follow_from_their_rows(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / name  # without the pages that somebody may have built there
    shutil.copytree(MUSDB18.parent / name, folder, ignore=shutil.ignore_patterns("site"))
    assert main(["board", "check", str(folder)]) == 0
    assert "every published number follows from the records" in capsys.readouterr().out


def test_ranks_are_whole_numbers_where_some_rows_have_none() -> None:
    assert ",1,TAU1,system," in (MUSDB18 / "board.csv").read_text()
    rows = json.loads((MUSDB18 / "board.json").read_text())["rows"]
    assert {type(row["rank"]) for row in rows} == {int, type(None)}


def test_an_import_is_the_same_bytes_and_keeps_what_is_missing(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = "A,song,vocals,9,1.5,2,3,4\nA,other song,vocals,9,,,,\nMIX,song,vocals,9,0,0,0,0\n"
    table.write_text(HEADER + rows)
    assert main(["board", "import", "sisec18", str(table), str(tmp_path)]) == 0
    first = (tmp_path / "reported" / "sisec18.json").read_bytes()
    assert main(["board", "import", "sisec18", str(table), str(tmp_path)]) == 0
    assert (tmp_path / "reported" / "sisec18.json").read_bytes() == first
    row = Board(tmp_path).table().set_index("model").loc["A"]
    assert row["vocals SDR"] == 1.5
    assert row["vocals gain"] == 1.5


def write_submission(path: Path, *windows: float) -> None:
    """As museval writes it: of vocals, where all four scores are the same."""
    frames = [
        {"time": float(i), "duration": 1.0, "metrics": dict.fromkeys(("SDR", "SIR", "SAR", "ISR"), value)}
        for i, value in enumerate(windows)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"targets": [{"name": "vocals", "frames": frames}]}))


def test_an_import_of_the_campaign_s_files_has_the_means_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = float("nan")
    for track, a, b in (
        ("one", (1.0, 2.0, 6.0), (1.5,)),
        ("two", (1.0, nothing, 3.0), (1.5,)),
        ("three", (nothing,), ()),
    ):
        write_submission(tmp_path / "submissions" / "A" / "test" / f"{track}.json", *a)
        write_submission(tmp_path / "submissions" / "B" / "test" / f"{track}.json", *b)
    assert main(["board", "import", "sisec18", str(tmp_path / "submissions"), str(tmp_path)]) == 0
    board = Board(tmp_path)
    (ranking,) = board.rankings()
    (means,) = ranking.other_metrics
    table = board.table().set_index("model")
    assert table.loc["A", "vocals SDR"] == 2.0
    assert table.loc["A", f"vocals {means}"] == 2.5  # over tracks the mean of 3 and 2
    comparison = ranking.comparison("vocals")
    assert comparison is not None
    assert not comparison.pairs["order_reversed"].any()
    write_submission(tmp_path / "submissions" / "B" / "test" / "one.json", 1.5, 1.5, 30.0)
    assert main(["board", "import", "sisec18", str(tmp_path / "submissions"), str(tmp_path)]) == 0
    comparison = Board(tmp_path).rankings()[0].comparison("vocals")
    assert comparison is not None
    assert comparison.pairs["order_reversed"].all()
    (tmp_path / "submissions" / "B" / "test" / "one.json").write_text("{")
    assert main(["board", "import", "sisec18", str(tmp_path / "submissions"), str(tmp_path)]) == 2
    assert "one.json is not a file of museval's scores" in capsys.readouterr().err
    assert main(["board", "import", "sisec18", str(tmp_path / "reported"), str(tmp_path)]) == 2
    assert "has no <method>/test/<track>.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("A,song,vocals,9,loud,2,3,4\n", "line 2: expected method, track, target"),
        ("A,song,vocals,9,1,2,3,4\nA,song,guitar,9,1,2,3,4\n", "line 3: target 'guitar' is none of vocals"),
        ("A,song,vocals,9,1,2,3,4\nA,song,vocals,9,1,2,3,4\n", "line 3: a second row of A, song, vocals"),
        ("A,song,vocals\n", "line 2: expected method, track, target"),
    ],
)
def test_bad_tables(tmp_path: Path, rows: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.csv").write_text(HEADER + rows)
    assert main(["board", "import", "sisec18", str(tmp_path / "table.csv"), str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "reported").exists()


def test_other_data_under_the_same_name_is_not_ranked_with_it(board: Path) -> None:
    other = record("one")
    other["dataset"]["fingerprint"] = "g"
    write_json(board / "records" / "other.json", other)
    rankings = Board(board).rankings()
    assert [(ranking.fingerprint, {row.model for row in ranking.rows}) for ranking in rankings] == [
        ("f", {"one", "two"}),
        ("g", {"one"}),
    ]
    assert list(rankings[1].scores("voice", "SDR").columns) == ["one"]


def test_names_that_a_spreadsheet_or_a_page_would_run(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    for number, name in enumerate(("=1+1", "[x](javascript:1)")):
        write_json(tmp_path / "records" / f"{number}.json", record(name))
    assert main(["board", "build", str(tmp_path)]) == 0
    assert ",'=1+1," in (tmp_path / "board.csv").read_text()
    assert r"\[x\](javascript:1)" in (tmp_path / "board.md").read_text()


def test_figures_of_a_metric_that_is_not_known_stand_by_themselves() -> None:
    table = Board(MUSDB18).table()
    voices = table[table["metric"] == "bsseval;agg=median;together=not-stated;targets=vocals"].set_index("model")
    row = voices.loc["Wave-U-Net (Cohen-Hadria et al.), all augmentations"]
    assert row[["vocals SDR", "vocals SIR", "vocals SAR", "tier"]].tolist() == [5.42, 13.90, 6.62, "reported"]
    assert len(voices) == 14


def test_figures_of_papers_have_rows_and_no_statistics() -> None:
    board = Board(MUSDB18)
    row = board.table().set_index("model").loc["Spleeter (mask)"]
    assert row[["vocals SDR", "vocals SIR", "vocals SAR", "tier", "data"]].tolist() == [
        6.55,
        15.19,
        6.44,
        "reported",
        "extra",
    ]
    figures = next(ranking for ranking in board.rankings() if "Spleeter (mask)" in {row.model for row in ranking.rows})
    assert figures.scores("vocals", "SDR").empty


@pytest.mark.parametrize(
    ("name", "system", "scores", "tier"),
    [
        ("ikala", "U-Net", {"vocals NSDR": 11.094, "accompaniment NSDR": 14.435, "vocals SIR": 23.96}, "reported"),
        ("ikala", "Chimera", {"vocals NSDR": 8.749}, "reported"),
        ("medleydb", "U-Net", {"vocals NSDR": 8.681}, "reported"),
    ],
)
def test_figures_of_another_metric_and_dataset(
    name: str, system: str, scores: dict[str, float], tier: str, tmp_path: Path
) -> None:
    shutil.copytree(MUSDB18.parent / name, tmp_path / name)
    board = Board(tmp_path / name)
    row = board.table().set_index("model").loc[system]
    assert {column: row[column] for column in scores} == scores
    assert row["tier"] == tier
    assert row["dataset"].startswith(f"{name}/")
    assert row["metric"] == "nsdr;bsseval-v3;agg=mean;targets=accompaniment,vocals"
    publish(board)
    cards = "".join(page.read_text() for page in (tmp_path / name / "site").glob("model-*.html"))
    assert "ISMIR 2017" in cards
    assert ("typed from memory" in cards) == ("unverified" in set(board.table()["tier"]))
    for exported in ("board.md", "board.csv", "board.tex"):
        assert (tmp_path / name / exported).read_bytes() == (MUSDB18.parent / name / exported).read_bytes()


def test_the_oracles_of_a_paper_are_ceilings() -> None:
    table = Board(MUSDB18.parent / "moisesdb").table().set_index("model")
    assert table.loc["HTDemucs", ["rank", "role", "vocals SDR"]].tolist() == [1, "system", 9.62]
    assert set(table.index[table["role"] == "ceiling"]) == {
        "Ideal ratio mask",
        "Ideal binary mask",
        "Complex ideal ratio mask",
        "Multichannel Wiener filter of the references",
    }
    assert table.loc["Ideal ratio mask", "metric"] == "sdr;agg=median;targets=bass,drums,other,vocals"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- {system: X, citation: Y, data: much, SDR: {vocals: 1}}", "data is one of standard, unknown, extra"),
        (
            "- {system: X, citation: Y, data: extra, role: best, SDR: {vocals: 1}}",
            "role is one of system, floor, ceiling",
        ),
        ("- {system: X, citation: Y, data: extra, sdr: {vocals: 1}}", "unknown field 'sdr': the fields are system"),
        ("- {system: X, citation: Y, data: extra, metric: nsdr;x, SDR: {vocals: 1}}", "entry 1: expected system"),
        ("{system: X}", "expected a list of entries"),
        ("- system: X\n  data: standard\n", "entry 1: expected system, citation, data and SDR"),
        ("- [", "is not YAML"),
        ("- {system: X, citation: Y, data: extra, SDR: {'a,b': 1}}", "'a,b' cannot be the name of a target"),
        ("- {system: X, citation: Y, data: extra, SDR: {a: loud}}", "SDR of a is 'loud', not a number"),
        ("- {system: X, citation: Y, data: extra, SDR: {a: .inf}}", "SDR of a is inf, not a number"),
        ("- {system: X, citation: Y, data: extra, SDR: {a: 1}, SIR: 2}", "SIR is 2, not a value per target"),
        ("- {system: X, citation: Y, data: extra, SDR: {a: 1}}\n" * 2, "X has another row of this dataset and metric"),
        ("- 7", "entry 1: expected system"),
    ],
)
def test_bad_figures(tmp_path: Path, text: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reported.yaml").write_text(text)
    assert main(["board", "build", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("group", "field"),
    [
        ("model", "config_sha256"),
        ("model", "parameters"),
        ("checkpoint", "sha256"),
        ("checkpoint", "selection"),
        ("training", "data"),
        ("training", "hours"),
        ("code", "commit"),
        ("code", "lock_sha256"),
        ("dataset", "fingerprint"),
        ("dataset", "files"),
        ("inference", "overlap"),
        ("metric", "implementation"),
        ("speed", "hardware"),
        ("speed", "peak_bytes"),
        (None, "seed"),
        (None, "checkpoint"),
    ],
)
def test_what_a_number_rests_on_must_be_there_and_not_null(group: str | None, field: str) -> None:
    whole = record("one")
    assert records.tier_of(whole) == "measured"
    assert records.lacking(whole) == []
    holder = whole if group is None else whole[group]
    holder[field] = None
    assert records.tier_of(whole) == "unverified"
    name = f"{group}.{field}" if group else field
    assert name in records.lacking(whole)
    del holder[field]
    assert name in records.lacking(whole)
    assert records.tier_of(whole) == "unverified"


def test_an_unverified_card_says_what_is_missing(board: Path) -> None:
    lacking = record("three")
    lacking["code"]["commit"] = None
    records.write(board / "records" / "three.json", lacking)
    build_site(Board(board))
    cards = [page.read_text() for page in (board / "site").glob("model-*.html")]
    assert sum("It lacks code.commit." in page for page in cards) == 1


def test_a_record_without_weights_needs_no_checkpoint() -> None:
    floor = record("one")
    floor["model"]["parameters"], floor["checkpoint"], floor["seed"] = 0, None, None
    assert records.tier_of(floor) == "measured"


def test_a_record_that_is_wrong_is_not_written(tmp_path: Path) -> None:
    wrong = record("one") | {"run": 7}
    with pytest.raises(ValueError, match="field run"):
        records.write(tmp_path / "one.json", wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_lacks_provenance_is_unverified_and_ranked_apart(board: Path) -> None:
    lacking = record("three")
    del lacking["speed"]["hardware"]
    write_json(board / "records" / "three.json", lacking)
    table = Board(board).table().set_index("model")
    assert table.loc["three", ["tier", "rank"]].tolist() == ["unverified", 1]
    assert table.loc["one", "tier"] == "measured"
    assert main(["board", "build", str(board)]) == 0
    assert "| three | system | unverified |" in (board / "board.md").read_text()


def test_a_system_of_fewer_tracks_is_shown_and_has_no_rank(board: Path) -> None:
    fewer = record("three")
    fewer["dataset"]["tracks"] = ["song"]
    del fewer["scores"]["other song"]
    for target in fewer["scores"]["song"].values():
        target["SDR"] = 99.0
    write_json(board / "records" / "three.json", fewer)
    table = Board(board).table().set_index("model")
    assert table.loc[["one", "two", "three"], "tracks"].tolist() == [2, 2, 1]
    assert sorted(table.loc[["one", "two"], "rank"]) == [1, 2]
    assert pd.isna(table.loc["three", "rank"])
    assert main(["board", "build", str(board)]) == 0
    assert "|  | three | system | 1 | 99.00" in (board / "board.md").read_text()


@pytest.mark.parametrize("name", ["board.md", "board.csv", "board.json", "board.tex"])
def test_a_number_that_does_not_follow_is_refused(board: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "check", str(board)]) == 0
    text = (board / name).read_text()
    row = next(line for line in reversed(text.splitlines()) if any(digit in line for digit in "123456789."))
    (board / name).write_text(text.replace(row, row.replace("1", "7").replace("2", "8").replace("5", "9")))
    assert main(["board", "check", str(board)]) == 1
    error = capsys.readouterr().err
    assert f"{board / name}, line" in error
    assert "build it again" in error


def test_absent_tables_and_altered_pages_are_refused(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "check", str(board)]) == 0
    page = board / "site" / "index.html"
    before = page.read_text()
    page.write_text(before.replace("<td", "<td ", 1))
    assert main(["board", "check", str(board)]) == 1
    assert "index.html is not what the records give: build it again" in capsys.readouterr().err
    page.write_text(before)
    (board / "site" / "more.html").write_text("99 dB")
    assert main(["board", "check", str(board)]) == 1
    assert "more.html is no page of this board" in capsys.readouterr().err
    (board / "site" / "more.html").unlink()
    (board / "site" / "board.csv").write_text("better")
    assert main(["board", "check", str(board)]) == 1
    assert "board.csv is not what the records give" in capsys.readouterr().err
    (board / "board.json").unlink()
    assert main(["board", "check", str(board)]) == 1
    assert "board.json is absent, and board.md is there" in capsys.readouterr().err
    for path in (board / "board.md", board / "board.csv", board / "board.tex"):
        path.unlink()
    shutil.rmtree(board / "site")
    assert main(["board", "check", str(board)]) == 0  # records alone, as in a pull request


def test_a_row_below_the_missing_cells_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    songs = write_songs(tmp_path / "songs")
    (tmp_path / "suite.yaml").write_text(f"datasets: [folder]\nroots: {{folder: {songs}}}\nmodels: [mixture]\n")
    assert main(["board", "build", str(tmp_path)]) == 0
    text = (tmp_path / "board.md").read_text()
    assert "Missing:\n\n- mixture-folder" in text
    assert main(["board", "check", str(tmp_path)]) == 0
    run = tmp_path / "runs" / "mixture-folder"
    run.mkdir(parents=True)
    (run / "state.json").write_text(json.dumps({"stage": "failed", "error": "killed"}))
    assert main(["board", "check", str(tmp_path)]) == 0  # why is not compared, for runs are not published
    (tmp_path / "board.md").write_text(text + "| 1 | forged | system | 99.00 |\n")
    assert main(["board", "check", str(tmp_path)]) == 1
    assert "forged" in capsys.readouterr().err
    (tmp_path / "board.md").write_text(text.replace("- mixture-folder", "- other-folder"))
    assert main(["board", "check", str(tmp_path)]) == 1
    assert "is published as a missing cell" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"role": "system"', '"role": "winner"', "one.json, line 6: field model.role: 'winner' is not one of"),
        ('"role": "system"', '"role": "system",\n "label": "other"', "line 7: the key 'label' comes twice"),
        ('"label": "one"', '"label": "\\ud800"', "holds half of a surrogate pair"),
        ('"options": {}', '"options": ' + '{"a":' * 40 + "1" + "}" * 40, "more than 32 levels deep"),
        ('"options": {}', '"options": ' + "[" * 5000 + "]" * 5000, "levels deep"),
        ('"parameters": 1000', '"parameters": NaN', "NaN is no number of JSON"),
        ('"SAR": ', '"SAR": null, "x": ', "song / band / SAR is null without a reason"),
        ('"SAR": ', '"SAR": "high", "x": ', "song / band / SAR is 'high', not a finite number"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    board: Path, old: str, new: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = board / "records" / "one.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert main(["board", "build", str(board)]) == 0
    error = capsys.readouterr().err
    assert sentence in error
    if "song /" in sentence:
        line = next(i for i, each in enumerate(text.splitlines(), 1) if old in each)
        assert f"one.json, line {line}:" in error


def test_faulty_records_are_named_with_their_place(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (board / "board.md").read_bytes()
    one = board / "records" / "one.json"
    (board / "records" / "again.json").write_bytes(one.read_bytes())
    (board / "records" / "cut.json").write_text(one.read_text()[:300])
    assert main(["board", "check", str(board)]) == 1
    error = capsys.readouterr().err
    assert "cut.json: not a record that can be read" in error
    assert "line" in error
    (board / "records" / "cut.json").unlink()
    assert main(["board", "check", str(board)]) == 1
    assert "one.json, line 5: of the same model, dataset and seed as again.json: keep one" in capsys.readouterr().err
    assert main(["board", "build", str(board)]) == 0
    assert "as again.json" in capsys.readouterr().err
    (board / "records" / "cut.json").write_text("{")
    assert main(["board", "build", str(board)]) == 0
    assert (board / "board.md").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda scores: scores.pop("song"), "scores are of other tracks than dataset.tracks lists"),
        (lambda scores: scores["song"].pop("band"), "song has no scores of band, which the metric id names"),
        (lambda scores: scores.update(song=None), "song has no scores of band"),
        (lambda scores: scores["song"]["band"].update(SDR=True), "song / band / SDR is True, not a finite number"),
        (lambda scores: scores["song"]["band"].update(SDR=10**400), "not a finite number"),
    ],
)
def test_scores_that_are_not_whole(
    tmp_path: Path, change: Callable[[Any], object], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "records").mkdir()
    made = record("one")
    change(made["scores"])
    (tmp_path / "records" / "one.json").write_text(json.dumps(made))
    assert main(["board", "build", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "one.json" in error
    assert sentence in error


def test_exports_are_the_same_bytes_and_escape_names(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    write_json(tmp_path / "records" / "x.json", record(r"50% \input{a} a_b | <b>&$#~^"))
    texts = []
    for _ in range(2):
        assert main(["board", "build", str(tmp_path)]) == 0
        texts.append(
            {name: (tmp_path / name).read_bytes() for name in ("board.md", "board.csv", "board.json", "board.tex")}
        )
    assert texts[0] == texts[1]
    assert set(texts[0]) == {"board.md", "board.csv", "board.json", "board.tex"}
    tex = texts[0]["board.tex"].decode()
    signs = r"\textbar{} \textless{}b\textgreater{}\&\$\#\textasciitilde{}\textasciicircum{}"
    assert rf"50\% \textbackslash{{}}input\{{a\}} a\_b {signs}" in tex
    assert r"\input" not in tex
    assert r"50% \\input{a} a_b \| &lt;b>&amp;" in texts[0]["board.md"].decode()
    assert json.loads(texts[0]["board.json"])["rows"][0]["model"] == r"50% \input{a} a_b | <b>&$#~^"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"role":"system"', '"role":"winner"', "A: role is one of system, floor, ceiling, not 'winner'"),
        ('"data":"standard"', '"data":"much"', "A: data is one of standard, unknown, extra, not 'much'"),
        ("[[1.5,2.0,3.0,4.0]", "[[1.5,2.0,3.0]", "A: vocals has an entry that is not one value per column"),
        ("[[1.5,2.0,3.0,4.0]", '[["loud",2.0,3.0,4.0]', "A: vocals has a value that is no number"),
        ("[[1.5,2.0,3.0,4.0]", "[null,[1.5,2.0,3.0,4.0]", "A: vocals has not one entry per track"),
        ("[[1.5,2.0,3.0,4.0]", "[[1e999,2.0,3.0,4.0]", "is not JSON that can be read"),
        (";targets=", ";of=", "field metric names no targets"),
        ('"tracks":["song"]', '"tracks":7', "field tracks is no list of names"),
        ('"source":', '"origin":', "field source is no text"),
        ('"systems":', '"methods":', "field systems is no object"),
        ('{"source"', '["source"', "is not JSON that can be read"),
    ],
)
def test_bad_tables_of_campaigns(
    tmp_path: Path, old: str, new: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "table.csv").write_text(HEADER + "A,song,vocals,9,1.5,2,3,4\n")
    assert main(["board", "import", "sisec18", str(tmp_path / "table.csv"), str(tmp_path)]) == 0
    path = tmp_path / "reported" / "sisec18.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert main(["board", "build", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"{path}" in error
    assert sentence in error
