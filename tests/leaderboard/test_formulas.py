"""What spreadsheets would compute, and columns that a record could take from another."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from msbench.cli.app import main
from msbench.leaderboard.board import Board
from msbench.system.files import write_json
from tests.leaderboard.boards import record


def test_no_cell_and_no_heading_of_the_csv_is_a_formula(tmp_path: Path) -> None:
    made = record("+label")
    made["dataset"].update(name='=cmd|"/c calc"!A1', split="-s", fingerprint="@f;=HYPERLINK(1)")
    made["metric"]["id"] = "bsseval-v4;=1+1;targets=band,=voice"
    for targets in made["scores"].values():
        targets["=voice"] = targets.pop("voice")
    write_json(tmp_path / "records" / "one.json", made)
    assert main(["board", "build", str(tmp_path)]) == 0
    text = (tmp_path / "board.csv").read_text()
    for delimiter in ",;":
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            for cell in row:
                assert cell[:1] not in ("=", "+", "@") or cell[1:].replace(".", "").isdigit()
    read = pd.read_csv(tmp_path / "board.csv")
    assert read["model"].str.removeprefix("'").tolist() == ["+label"]
    assert read["'=voice SDR"].dtype == float
    assert main(["board", "check", str(tmp_path)]) == 0


def test_a_metric_takes_no_column_of_another_target(tmp_path: Path) -> None:
    one, other = record("one"), record("other")
    one["metric"]["id"] = other["metric"]["id"] = "bsseval-v4;targets=x,x foo"
    other["metric"]["beside"] = ["foo SDR", "gain", "rank"]
    for made in (one, other):
        for track in made["scores"]:
            made["scores"][track] = {
                target: {"SDR": level, "ISR": 0.0, "SIR": 178.2, "SAR": 0.0, "foo SDR": 50.0, "gain": 9.0, "rank": 7.0}
                for target, level in (("x", 1.0), ("x foo", 2.0))
            }
        write_json(tmp_path / "records" / f"{made['model']['label']}.json", made)
    table = Board(tmp_path).table()
    assert table["x foo SDR"].tolist() == [2.0, 2.0]
    assert table["x foo SDR'"].tolist() == [50.0, 50.0]
    assert table["rank"].tolist() == [1, 2]
    assert main(["board", "build", str(tmp_path)]) == 0
    page = (tmp_path / "site" / "index.html").read_text()
    assert page.count('<th scope="col"') == page.split("<tbody>")[1].split("</tr>")[0].count("<td ") + 1


def test_rounding_noise_is_infinite_everywhere(tmp_path: Path) -> None:
    made = record("mixture")
    made["model"]["role"] = "floor"
    for targets in made["scores"].values():
        for scores in targets.values():
            scores["SAR"] = 178.2
    write_json(tmp_path / "records" / "one.json", made)
    assert main(["board", "build", str(tmp_path)]) == 0
    assert main(["board", "check", str(tmp_path)]) == 0
    texts = {path.name: path.read_text() for path in tmp_path.glob("board.*") if path.suffix != ".png"}
    assert "∞" in texts["board.md"]
    assert "rounding noise" in texts["board.md"]
    assert ",inf," in texts["board.csv"]
    assert '"inf"' in texts["board.json"]
    for text in (*texts.values(), (tmp_path / "site" / "index.html").read_text()):
        assert "178.2" not in text.replace('data-v="178.2"', "")
    for card in (tmp_path / "site").glob("model-*.html"):
        assert "∞" in card.read_text()
        assert "178.20" not in card.read_text()
