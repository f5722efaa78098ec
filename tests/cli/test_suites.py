"""A suite from nothing to its board, with a cell that fails, on a tiny data set and a single-file model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

import msbench
from msbench import records
from msbench.cli.app import main
from msbench.evaluation.run import evaluate, untrained
from msbench.leaderboard.board import Board
from msbench.leaderboard.render import csv, markdown
from msbench.records.metric_id import BSSEVAL
from msbench.runs.suite import read_suite
from msbench.system.files import write_json
from tests.requirements import require
from tests.tiny import write_model, write_songs

SUITE = """
board: tiny
datasets: [folder]
seeds: [0, 1]
roots: {folder: songs}
models:
  - recipe: tiny.yaml
    set: {trainer.max_epochs: 1}
  - recipe: tiny.yaml
    label: exploding
    set: {separator.explode: true}
  - oracle_irm
  - mixture
  - mixture_share
"""
RECIPE = """
name: tiny
data: {chunk_seconds: 0.25, chunks_per_epoch: 16, batch_size: 2}
trainer: {max_epochs: 2, accelerator: cpu}
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    write_songs(folder / "songs")
    os.environ["MSBENCH_PLUGINS"] = str(write_model(folder / "plugins"))
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "tiny.yaml").write_text(RECIPE)
    try:
        assert main(["bench", str(folder / "suite.yaml"), "--jobs", "2"]) == 1  # the exploding cells fail
        yield folder
    finally:
        del os.environ["MSBENCH_PLUGINS"]


def test_the_board_ranks_what_ran_and_names_what_is_missing(board: Path) -> None:
    table = msbench.Board(board).table()
    assert table["model"].tolist()[0] == "oracle_irm"
    assert set(table["model"]) == {"oracle_irm", "tiny", "mixture", "mixture_share"}
    assert table.set_index("model").loc["tiny", "seeds"] == 2
    assert table.set_index("model").loc["tiny", "rank"] == 1
    assert table["rank"].notna().sum() == 1
    assert table["metric"].nunique() == 1  # the model's targets come in another order than the data set's
    assert table.set_index("model").loc["oracle_irm", "voice gain"] > 10
    text = (board / "board.md").read_text()
    assert "training loss became nan" in text
    assert "exploding" in text
    assert (board / "board.png").stat().st_size > 5000


def test_a_second_bench_does_only_what_is_missing(board: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (board / "records").iterdir()}
    victim = next(path for path in before if path.name.startswith("mixture-"))
    text = (board / "board.csv").read_bytes()
    victim.unlink()
    assert main(["bench", str(board / "suite.yaml"), "--jobs", "2"]) == 1
    assert "7 cells, 3 to do" in capfd.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in (board / "records").iterdir()}
    assert after.keys() == before.keys()
    assert [path for path in before if before[path] != after[path]] == [victim]
    assert (board / "board.csv").read_bytes() == text


def test_the_board_is_the_same_bytes_each_time(board: Path) -> None:
    one, two = Board(board), Board(board)
    assert markdown(one.table(), one.title, one.missing) == markdown(two.table(), two.title, two.missing)
    assert csv(one.table()) == csv(two.table())


def test_a_suite_chooses_what_is_scored_beside(board: Path, tmp_path: Path) -> None:
    text = f"datasets: [folder]\nroots: {{folder: {board / 'songs'}}}\nmodels: [mixture, oracle_irm]\n"
    (tmp_path / "suite.yaml").write_text(text + "metrics: [si-sdr, snr]\n")
    assert main(["bench", str(tmp_path / "suite.yaml"), "--jobs", "1"]) == 0
    ids = ["si-sdr;channels=joint", "snr;channels=joint"]
    found = msbench.Board(tmp_path)
    assert [record["metric"]["beside"] for record in found.records] == [ids, ids]
    table = found.table().set_index("model")
    expected = np.median([of["voice"][ids[0]] for of in found.records[0]["scores"].values()])
    assert table.loc[found.records[0]["model"]["label"], f"voice {ids[0]}"] == expected
    assert f"voice {ids[1]}" in (tmp_path / "board.csv").read_text().splitlines()[0]
    assert "si-sdr (dB)" in (tmp_path / "site" / "tracks.html").read_text()


def test_a_checkpoint_holds_its_seed_for_a_record_of_its_own(board: Path, tmp_path: Path) -> None:
    suite = read_suite(board)
    for cell in suite.cells:
        if cell.label == "tiny":
            checkpoint = suite.run_folder(cell) / "best.ckpt"
            command = ["evaluate", str(checkpoint), "--data", "folder", "--root", str(cell.root), "-o", str(tmp_path)]
            assert main(command) == 0
            record = records.read(tmp_path / "record.json")
            assert record["seed"] == cell.seed
            assert records.tier_of(record) == "measured"


def test_a_run_keeps_the_recipe_that_it_trains(board: Path) -> None:
    cell = read_suite(board).cells[0]
    assert yaml.safe_load((board / "runs" / cell.name / "recipe.yaml").read_text()) == yaml.safe_load(RECIPE)


def test_a_record_says_how_it_was_made(board: Path) -> None:
    suite = read_suite(board)
    cell = next(cell for cell in suite.cells if cell.label == "tiny")
    record = records.read(suite.record_path(cell))
    assert records.tier_of(record) == "measured"
    assert record["training"]["data"] == "standard"
    assert record["training"]["datasets"] == ["folder"]
    assert record["training"]["hours"] == pytest.approx(2 * 2 / 3600, abs=1e-4)
    assert record["model"]["macs_per_second"] == 2 * 9 * 8000  # two outputs of nine taps at 8 kHz
    assert record["model"]["licence"] is None  # of a single file
    assert record["dataset"]["files"] == ["wav"]
    hours = record["run"].pop("hours")
    assert 0 < hours < 1
    assert record["run"] == {"restarts": 0, "gpu_hours": 0.0, "slurm_job_ids": []}
    assert record["speed"]["real_time_factor_p95"] >= record["speed"]["real_time_factor"]
    floor = records.read(suite.record_path(next(cell for cell in suite.cells if cell.label == "mixture")))
    assert floor["training"] == {"data": "standard", "datasets": [], "tracks": 0, "hours": 0.0}
    assert floor["model"]["licence"] == "MIT"


def test_what_was_trained_on_other_data_is_ranked_apart(board: Path) -> None:
    from msbench.evaluation.record import trained_on

    known = {"datasets": ["musdb18hq"], "tracks": 86, "hours": 6.0, "data": "unknown"}
    assert trained_on(known, "musdb18", "test")["data"] == "standard"
    assert trained_on(known, "dsd100", "test")["data"] == "extra"


def test_every_number_follows_from_the_per_track_files(board: Path) -> None:
    path = next((board / "records").glob("oracle_irm-*.json"))
    record = records.read(path)
    assert record["dataset"]["tracks"] == ["song 0", "song 1"]
    for track in record["dataset"]["tracks"]:
        stored = json.loads((board / "runs" / path.stem / "evaluation" / "test" / f"{track}.json").read_text())
        for target in stored["targets"]:
            values = [frame["metrics"]["SDR"] for frame in target["frames"]]
            assert record["scores"][track][target["name"]]["SDR"] == np.nanmedian(values)


def test_museval_reads_the_per_track_files(board: Path) -> None:
    require("ffmpeg")  # museval imports musdb, which wants it
    import museval

    store = museval.EvalStore()
    store.add_eval_dir(str(next((board / "runs").glob("oracle_irm-*")) / "evaluation"))
    assert set(store.df["target"]) == {"voice", "band"}
    assert store.df["score"].notna().any()


def test_both_backends_give_the_same_record(board: Path) -> None:
    from msbench.data.opening import open_dataset

    data = open_dataset("folder", board / "songs")
    model = untrained("oracle_irm", data)
    fast, museval = (evaluate(model, data, backend=backend)["scores"] for backend in ("fast", "museval"))
    for track, targets in fast.items():
        for target, scores in targets.items():
            for metric, value in scores.items():
                assert value == pytest.approx(museval[track][target][metric], abs=2e-5)


def test_a_model_of_one_target_is_scored_beside_the_rest(board: Path) -> None:
    from msbench.data.opening import open_dataset

    data = open_dataset("folder", board / "songs")
    record = evaluate(untrained("oracle_irm", data, targets=["voice"]), data)
    assert record["metric"]["id"] == str(BSSEVAL.of(["voice", "rest"]))
    assert set(record["scores"]["song 0"]) == {"voice", "rest"}


def test_a_broken_record_is_named(board: Path, tmp_path: Path) -> None:
    record = records.read(next((board / "records").glob("mixture-*.json")))
    del record["metric"]["id"]
    with pytest.raises(ValueError, match=r"here: field metric: 'id' is a required property"):
        records.validate(record, "here")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "half.json").write_text('{"schema_version": 1, ')
    with pytest.raises(ValueError, match=r"half.json: not a record that can be read"):
        Board(tmp_path)


def test_a_full_disk_leaves_no_half_written_record(tmp_path: Path) -> None:
    import resource
    import signal

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
        with pytest.raises(OSError, match="File too large"):
            write_json(tmp_path / "record.json", {"long": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())
