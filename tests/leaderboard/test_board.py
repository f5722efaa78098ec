"""A board opens from its records alone, whatever becomes of its suite and of what that names."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import msbench
from msbench import records
from msbench.cli.app import main
from msbench.leaderboard.board import Board, SuiteWarning
from msbench.leaderboard.exports import exports
from msbench.metrics import catalogue
from msbench.system.files import write_json
from tests.leaderboard.boards import record

SUITE = """\
datasets: [nowhere_installed]
models:
- recipe: recipe_of_a_stranger
- {model: model_of_a_stranger, checkpoint: gone.ckpt}
metrics: [stoi, metric_of_a_stranger]
seeds: [0]
"""
NAMES = ("recipe_of_a_stranger-nowhere_installed-s0-0123abcd", "model_of_a_stranger-nowhere_installed-89abcdef")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A board whose records were made elsewhere."""
    for name, label in zip(NAMES, ("one", "two"), strict=True):
        write_json(tmp_path / "board" / "records" / f"{name}.json", record(label))
    return tmp_path / "board"


def commands_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Build and check a board; what both say on stderr."""
    assert main(["board", "build", str(folder)]) == 0
    first = capsys.readouterr().err
    assert main(["board", "check", str(folder)]) == 0
    assert capsys.readouterr().err == first
    assert {"board.md", "board.png", "site"} <= {path.name for path in folder.iterdir()}
    return first


def test_a_suite_of_which_nothing_is_here(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "suite.yaml").write_text(SUITE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        board = msbench.Board(folder)
    assert sorted(board.table()["model"]) == ["one", "two"]
    assert board.missing == {}
    assert board.suite is not None
    assert commands_of(folder, capsys) == ""


def test_a_cell_of_such_a_suite_that_was_never_run_is_missing(folder: Path) -> None:
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "records" / f"{NAMES[1]}.json").unlink()
    board = Board(folder)
    assert board.missing == {"model_of_a_stranger-nowhere_installed": "not run yet"}
    assert board.table()["model"].tolist() == ["one"]


def test_records_without_a_suite(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = msbench.Board(folder)
    assert (board.suite, board.suite_fault, board.missing, board.title) == (None, None, {}, "board")
    assert sorted(board.table()["model"]) == ["one", "two"]
    assert commands_of(folder, capsys) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("datasets: [", "suite.yaml is not YAML"),
        ("datasets: [folder]\nmodel: [mixture]\n", "model"),
        ("", "suite.yaml"),
        ("datasets: [folder]\nmodels: [mixture]\nseeds: [a]\n", "seeds"),
    ],
)
def test_a_broken_suite_is_said_and_keeps_nobody_from_the_records(
    folder: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "suite.yaml").write_text(text)
    with pytest.warns(SuiteWarning, match="the suite cannot be read"):
        board = msbench.Board(folder)
    assert sorted(board.table()["model"]) == ["one", "two"]
    said = commands_of(folder, capsys)
    assert said.startswith("msbench: the suite cannot be read (")
    assert said.endswith("): the board is made of its records alone\n")
    assert said.count("\n") == 1
    assert why in said
    health = (folder / "site" / "health.html").read_text()
    assert "The suite cannot be read" in health
    assert str(folder) not in health  # a page that is published tells nothing of the machine


def test_a_suite_that_is_a_folder(folder: Path) -> None:
    (folder / "suite.yaml").mkdir()
    with pytest.warns(SuiteWarning, match=r"suite\.yaml"):
        assert len(Board(folder).table()) == 2


def test_a_bug_in_reading_a_suite_is_no_broken_suite(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "suite.yaml").write_text(SUITE)
    monkeypatch.setattr("msbench.leaderboard.board.name_cells", lambda _: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):
        Board(folder)


def test_a_board_is_pushed_without_its_suite(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wandb", reason="needs the extra: pip install msbench[wandb]")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    (folder / "suite.yaml").write_text("datasets: [")
    assert main(["board", "push", "wandb", str(folder), "--mode", "offline"]) == 0
    assert "msbench: the suite cannot be read" in capsys.readouterr().err


def test_no_folder_is_no_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "build", str(tmp_path / "nothing")]) == 2
    assert "give a folder with a suite.yaml or records/ in it" in capsys.readouterr().err


def test_an_empty_board_has_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "records").mkdir()
    assert main(["board", "build", str(tmp_path)]) == 0
    assert main(["board", "check", str(tmp_path)]) == 0
    assert "This board has no records yet" in (tmp_path / "site" / "index.html").read_text()
    assert Board(tmp_path).rankings() == []
    assert Board(tmp_path).table().empty


def scored(label: str, targets: list[str], tracks: list[str], metric: str = "bsseval-v4") -> dict[str, Any]:
    """A record of other targets and tracks, or by another metric."""
    made = record(label)
    made["metric"]["id"] = f"{metric};targets={','.join(targets)}"
    made["model"]["targets"] = targets
    made["dataset"]["tracks"] = tracks
    scores = {"NSDR": 1.0, "SDR": 1.0, "SIR": 2.0, "SAR": 3.0, "ISR": None, "reason": "not published"}
    made["scores"] = {track: {target: dict(scores) for target in targets} for track in tracks}
    return made


def with_other_metric(label: str, metric: str, value: Any) -> dict[str, Any]:
    """A record that says it was scored by one more metric."""
    made = record(label)
    made["metric"]["beside"] = [metric]
    for targets in made["scores"].values():
        for scores in targets.values():
            scores[metric] = value
    return made


def changed(label: str, group: str, field: str, value: Any) -> dict[str, Any]:
    made = record(label)
    made[group][field] = value
    return made


@pytest.mark.parametrize(
    "made",
    [
        pytest.param([record("a")], id="one system"),
        pytest.param([scored("a", ["voice"], ["song"])], id="one target, track and system"),
        pytest.param([scored("a", ["voice"], ["x"]), scored("b", ["band", "voice"], ["x"])], id="other targets"),
        pytest.param([scored("a", ["voice"], ["x"]), scored("b", ["voice"], ["y"])], id="no track in common"),
        pytest.param([scored("a", ["v"], ["x"], "nsdr"), scored("b", ["v"], ["x"], "nsdr")], id="no BSSEval"),
        pytest.param([scored("a", ["v"], ["x"], "nsdr"), record("b")], id="two metrics"),
        pytest.param([scored("a", ["lead"], ["x"]), scored("b", ["lead vocals", "lead"], ["x"])], id="prefixes"),
        pytest.param([scored("a", ["gain", "x gain", "x"], ["x"])], id="targets called gain"),
        pytest.param([scored("a", ["v", "v"], ["x"]), scored("b", ["v", "v"], ["x"])], id="a target twice"),
        pytest.param([with_other_metric("a", "foo gain", 1.0), record("b")], id="a metric called gain"),
        pytest.param([with_other_metric("a", "reason", "why"), record("b")], id="a metric called reason"),
        pytest.param([with_other_metric("a", "x", 1e9), with_other_metric("b", "x", -1e9)], id="huge scores"),
        pytest.param([changed("a", "dataset", "tracks", None) | {"x": 1}, record("b")], id="tracks are null"),
    ],
)
def test_odd_records_have_a_board(made: list[dict[str, Any]], tmp_path: Path) -> None:
    for number, each in enumerate(made):
        if each["dataset"]["tracks"] is None:
            del each["dataset"]["tracks"]
        write_json(tmp_path / "records" / f"{number}.json", each)
    assert main(["board", "build", str(tmp_path)]) == 0
    assert main(["board", "check", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "board.json").read_text())["rows"]
    assert {row["model"] for row in rows} == {each["model"]["label"] for each in made}


@pytest.mark.parametrize(
    ("group", "field"), [("speed", "real_time_factor"), ("speed", "peak_bytes"), ("model", "parameters"), ("run", "x")]
)
@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + 400 * "0"])
def test_numbers_that_no_float_holds_are_refused(
    group: str, field: str, number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = record("a")
    made.setdefault(group, {})[field] = 123454321
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "one.json").write_text(json.dumps(made).replace("123454321", number))
    assert main(["board", "build", str(tmp_path)]) == 2
    assert "one.json: not a record that can be read" in capsys.readouterr().err


def test_missing_cells_are_checked_where_their_recipe_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "suite.yaml").write_text("datasets: [nowhere]\nmodels:\n- {recipe: own.yaml}\nseeds: [0]\n")
    (tmp_path / "own.yaml").write_text("name: unet\n")
    write_json(tmp_path / "reported" / "x.json", CAMPAIGN)
    assert main(["board", "build", str(tmp_path)]) == 0
    page = (tmp_path / "board.md").read_text()
    assert "\n\nMissing:\n\n- own-nowhere-s0-" in page
    (tmp_path / "own.yaml").unlink()
    assert main(["board", "check", str(tmp_path)]) == 0
    (tmp_path / "own.yaml").write_text("name: demucs\n")
    assert main(["board", "check", str(tmp_path)]) == 1
    assert "is published as a missing cell" in capsys.readouterr().err


CAMPAIGN = {
    "source": "x",
    "dataset": "d",
    "split": "test",
    "metric": "bsseval-v4;targets=v",
    "columns": ["SDR", "ISR", "SIR", "SAR"],
    "tracks": ["a"],
    "systems": {"s": {"role": "system", "data": "standard", "scores": {"v": [[1.0, 1.0, 1.0, 1.0]]}}},
}


def test_gnsdr_is_the_mean_weighted_by_the_lengths_of_tracks(tmp_path: Path) -> None:
    gnsdr = catalogue.BY_NAME["gnsdr"].id_of(["band", "voice"])
    made = record("system")
    made["metric"]["beside"] = [gnsdr]
    for track, value in (("song", 1.0), ("other song", 4.0)):
        for target in ("band", "voice"):
            made["scores"][track][target][gnsdr] = value
    made["dataset"] |= {"tracks": ["song", "other song"], "seconds": [10.0, 5.0]}
    write_json(tmp_path / "records" / "a.json", made)
    (row,) = Board(tmp_path).rankings()[0].rows
    assert row.scores["voice"][gnsdr] == pytest.approx(2.0)
    del made["dataset"]["seconds"]  # a record from before lengths were kept
    write_json(tmp_path / "records" / "a.json", made)
    (row,) = Board(tmp_path).rankings()[0].rows
    assert row.scores["voice"][gnsdr] is None


def test_a_row_with_augmentation_is_told_apart(tmp_path: Path) -> None:
    plain = record("net")
    for name, changed in (("net", {}), ("net-tta", {"shifts": 2, "tta": ["polarity", "swap"], "dtype": "bf16"})):
        made = record(name)
        made["inference"] |= changed
        write_json(tmp_path / "records" / f"{name}.json", made)
    table = Board(tmp_path).table().set_index("model")
    words = "2 shifts, tta polarity + swap, bf16"
    assert table["inference"].to_dict() == {"net": "", "net-tta": words}
    texts = exports(Board(tmp_path))
    assert "| model | role | inference |" in texts["board.md"]
    assert f"| net-tta | system | {words} |" in texts["board.md"]
    assert f"net-tta & {words} &" in texts["board.tex"]
    assert words in texts["board.csv"]
    (tmp_path / "records" / "net-tta.json").unlink()
    write_json(tmp_path / "records" / "net.json", plain)
    assert not any("inference" in text for text in exports(Board(tmp_path)).values())


def published(label: str, **training: Any) -> dict[str, Any]:
    """A record of weights that others trained, who say neither seed nor step nor hours."""
    made = record(label)
    made["checkpoint"] = {"sha256": "1" * 64, "step": None, "selection": "955717e8", "ema": None, "weights": label}
    made["model"]["licence"] = "CC BY-NC-SA 4.0"
    return made | {"seed": None, "training": {"data": "standard", "datasets": ["folder"], "hours": None} | training}


def test_weights_that_were_trained_on_the_test_songs_are_shown_and_never_ranked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [record("ours"), record("ours too"), published("theirs", splits={"folder": ["train"]})]
    made.append(published("cheat", splits={"folder": ["train", "test"]}))
    for number, each in enumerate(made):
        write_json(tmp_path / "board" / "records" / f"{number}.json", each)
    assert commands_of(tmp_path / "board", capsys) == ""
    board = Board(tmp_path / "board")
    table = board.table().set_index("model")
    assert table["tier"].to_dict() == dict.fromkeys(("ours", "ours too", "theirs"), "measured") | {
        "cheat": "contaminated"
    }
    assert sorted(table["rank"].dropna()) == [1, 2, 3]
    assert pd.isna(table["rank"]["cheat"])
    assert table["weights"].to_dict() == {"ours": "", "ours too": "", "theirs": "theirs", "cheat": "cheat"}
    assert table["licence"]["theirs"] == "CC BY-NC-SA 4.0"
    (ranking,) = board.rankings()
    comparison = ranking.comparison("voice")
    assert comparison is not None
    assert {str(name) for part in comparison.ranked for name in part.ranks["system"]} == {"ours", "ours too", "theirs"}
    text = (tmp_path / "board" / "board.md").read_text()
    assert "|  | cheat | system | contaminated | cheat | CC BY-NC-SA 4.0 |" in text
    assert "weights" in (tmp_path / "board" / "board.csv").read_text().partition("\n")[0]
    pages = {path.name: path.read_text() for path in (tmp_path / "board" / "site").glob("*.html")}
    assert "CC BY-NC-SA 4.0" in pages["index.html"]
    (card,) = (page for page in pages.values() if "Contaminated: by the word of those who published" in page)
    assert "The row is shown and never ranked." in card
    assert "msbench evaluate cheat --data folder" in card


def test_songs_of_another_form_of_the_dataset_are_the_same_songs(tmp_path: Path) -> None:
    made = published("x", datasets=["musdb18"], splits={"musdb18": ["train", "test"]})
    made["dataset"]["name"] = "musdb18hq"
    assert records.tier_of(made) == "contaminated"
    made["dataset"]["split"] = "valid"
    assert records.tier_of(made) == "measured"
    made["checkpoint"]["sha256"] = None
    assert records.tier_of(made) == "unverified"


def test_a_board_without_published_weights_has_no_columns_of_them(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not {"weights", "licence"} & {*Board(folder).table().columns}
