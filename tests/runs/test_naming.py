"""Cells are named, and boards are read, where the recipes, models, checkpoints and extras of the suite are gone."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from msbench.leaderboard.board import Board
from msbench.runs.naming import name_cells
from msbench.runs.suite import read_suite
from msbench.system.files import write_json
from tests.cluster.stand_in import record
from tests.runs.test_suite import KEPT, NAMES, write
from tests.tiny import write_model


def test_names_are_those_of_the_resolved_suite(tmp_path: Path) -> None:
    write(tmp_path, KEPT)
    assert [cell.name for cell in name_cells(tmp_path).cells] == NAMES


def test_no_library_of_a_metric_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)
    (tmp_path / "suite.yaml").write_text("datasets: [nowhere]\nmodels: [mixture]\nmetrics: [stoi]\n")
    assert [cell.label for cell in name_cells(tmp_path).cells] == ["mixture"]
    assert Board(tmp_path).table().empty


def test_a_board_outlives_its_recipes(tmp_path: Path) -> None:
    write(tmp_path, KEPT.replace("split: valid\nbackend: museval\nmetrics: [si-sdr, snr]\n", ""))
    suite = read_suite(tmp_path)
    done = [cell for cell in suite.cells if cell.dataset == "demo" and cell.label != "longer"]
    for cell in done:
        write_json(suite.record_path(cell), record(cell))
    failed = next(cell for cell in suite.cells if cell.label == "longer")
    write_json(suite.run_folder(failed) / "state.json", {"stage": "failed", "error": "no luck", "time": 1.0})
    before = Board(tmp_path)
    for recipe in ("tiny.yaml", "unet_small.yml"):
        (tmp_path / recipe).unlink()
    after = Board(tmp_path)
    assert after.table().equals(before.table())
    assert after.missing[failed.name] == "no luck"
    gone = {name.rpartition("-")[0] for name in before.missing if name.startswith(("tiny", "longer", "unet"))}
    assert {name for name in after.missing if name not in before.missing} == gone - {failed.name.rpartition("-")[0]}


def test_a_name_that_nobody_knows_is_what_its_records_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    (tmp_path / "plugins" / "tiny.yaml").write_text("name: tiny\n")
    (tmp_path / "suite.yaml").write_text("datasets: [demo]\nseeds: [3, 4]\nmodels: [tiny, {model: tiny, label: raw}]\n")
    suite = read_suite(tmp_path)
    trained, _, raw = suite.cells
    assert trained.seed == 3
    write_json(suite.record_path(trained), record(trained))
    write_json(suite.record_path(raw), record(raw))
    shutil.rmtree(tmp_path / "plugins")
    monkeypatch.delenv("MSBENCH_PLUGINS")
    board = Board(tmp_path)
    assert sorted(board.table()["model"]) == ["raw", "tiny"]
    assert list(board.missing) == ["tiny-demo-s4"]


def test_a_record_of_an_older_suite_stays_off_the_board(tmp_path: Path) -> None:
    write(tmp_path, "datasets: [demo]\nmodels: [tiny.yaml, mixture]\n")
    suite = read_suite(tmp_path)
    for cell in suite.cells:
        write_json(suite.record_path(cell), record(cell))
    write(tmp_path, "datasets: [demo]\nmodels: [{recipe: tiny.yaml, set: {trainer.max_epochs: 9}}, mixture]\n")
    assert Board(tmp_path).table()["model"].tolist() == ["mixture"]
    assert len(Board(tmp_path).missing) == 1


def test_a_suite_that_cannot_be_read_keeps_nobody_from_the_records(tmp_path: Path) -> None:
    write(tmp_path, "datasets: [demo]\nmodels: [mixture]\n")
    suite = read_suite(tmp_path)
    write_json(suite.record_path(suite.cells[0]), record(suite.cells[0]))
    (tmp_path / "suite.yaml").write_text("datasets: [demo\n")
    with pytest.warns(UserWarning, match="is not YAML.*: the board is made of its records alone"):
        board = Board(tmp_path)
    assert board.table()["model"].tolist() == ["mixture"]
    assert board.missing == {}


def test_a_recipe_that_no_file_can_be_called(tmp_path: Path) -> None:
    for entry in ("{recipe: NAME, label: a}", "{model: unet, checkpoint: NAME, label: a}"):
        (tmp_path / "suite.yaml").write_text(f"datasets: [demo]\nmodels: [{entry.replace('NAME', 'x' * 300)}]\n")
        assert [cell.label for cell in name_cells(tmp_path).cells] == ["a"]
        with pytest.raises(FileNotFoundError, match=r"no recipe 'xxx|no checkpoint "):
            read_suite(tmp_path)
