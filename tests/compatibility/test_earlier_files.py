"""Files that an earlier msbench wrote, and command lines that were written for it, still work.

README.md beside this says how the files were made. A cell keeps its name, so that nothing is trained again; a model
gives the same output; a board gives the same numbers; a journal still says what was submitted.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import json
import os
import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import msbench
from msbench import records
from msbench.cli import main
from tests.compatibility import interface, outputs

FILES = Path(__file__).with_name("files")
ROOT = Path(__file__).parent.parent.parent
CHECKPOINTS = sorted(
    path.relative_to(FILES).as_posix() for place in ("runs/*", "networks") for path in FILES.glob(f"{place}/*.ckpt")
)
LAUNCHERS = {  # SLURM's commands, for jobs that all wait
    "scontrol": 'if [ "$2" = config ]; then echo "MaxArraySize = 1001"; else exit 1; fi',
    "sbatch": "exit 1",
    "sacct": "exit 1",
    "squeue": 'for job in $(echo "$*" | sed "s/.*--jobs=//; s/,/ /g"); do\n'
    '  for index in 0 1 2 3; do echo "$job|$index|PENDING||Priority"; done\ndone',
}


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, to work in."""
    folder = tmp_path / "earlier"
    shutil.copytree(FILES, folder)
    for board in ("board", "cluster"):
        _name_the_checkpoint(folder / board)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(folder / "tiny.py"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return folder


def _name_the_checkpoint(board: Path) -> None:
    """A row of a checkpoint is named by the checkpoint's absolute path: name it as if it had been scored here."""
    fields = ["tiny", None, str((board / "given.ckpt").resolve()), {}, "test", "fast"]
    name = f"given-folder-{hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:8]}"
    for old in (*board.glob("runs/given-*"), *board.glob("records/given-*")):
        old.rename(old.with_name(name + old.suffix))
    for path in (*board.glob("jobs/*/plan.json"), *board.glob("jobs/*/*.cells")):
        lines = path.read_text().splitlines()
        path.write_text("\n".join(_renamed(line, name) for line in lines) + "\n")


def _renamed(line: str, name: str) -> str:
    before, found, rest = line.partition("given-folder-")
    return f"{before}{name}{rest[8:]}" if found else line


def _digests(folder: Path) -> dict[str, str]:
    return {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.*")
            if path.is_file()}  # fmt: skip


def _printed(*arguments: str) -> str:
    """What a command prints that ends well."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(arguments) == 0
    return printed.getvalue()


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_gives_the_same_output(earlier: Path, name: str) -> None:
    stored = np.load((earlier / name).with_suffix(".npy"))
    np.testing.assert_allclose(outputs.output(earlier / name), stored, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("epochs", "average"), [(1, []), (2, ["--ema_decay", "0.9"])])
def test_the_same_command_finds_its_run_and_goes_on(earlier: Path, epochs: int, average: list[str]) -> None:
    flags = ["fit", "-c", "tiny.yaml", "--data.dataset", "folder", "--data.root", "songs", *average]
    runs = sorted(path.name for path in Path("runs").iterdir())
    last = _printed(*flags, "--trainer.max_epochs", str(epochs)).split()[-1]
    assert sorted(path.name for path in Path("runs").iterdir()) == runs
    run = Path(last).parent
    before = torch.load(run / "last.ckpt", weights_only=True)
    assert before["epoch"] == epochs - 1
    assert ("averaging_state" in before) == bool(average)
    _printed("fit", "-c", str(run / "config.yaml"), "--output", str(run), "--trainer.max_epochs", str(epochs + 1))
    after = torch.load(run / "last.ckpt", weights_only=True)
    assert after["global_step"] == before["global_step"] * (epochs + 1) / epochs
    assert after["epoch"] == epochs


@pytest.mark.parametrize("name", ["board", "chosen"])
def test_a_suite_names_the_same_cells_and_nothing_is_done_again(earlier: Path, name: str) -> None:
    from msbench.runs.suite import read_suite

    suite = read_suite(name)
    cells = sorted(cell.name for cell in suite.cells)
    assert cells == sorted(path.stem for path in (earlier / name / "records").iterdir())
    assert cells == sorted(path.name for path in (earlier / name / "runs").iterdir())
    kept = {part: _digests(Path(name) / part) for part in ("runs", "records")}
    tables = [(Path(name) / file).read_text() for file in ("board.csv", "board.json")]
    assert f"{len(cells)} cells, 0 to do" in _printed("bench", name)
    assert {part: _digests(Path(name) / part) for part in kept} == kept
    assert [(Path(name) / file).read_text() for file in ("board.csv", "board.json")] == tables
    assert "every published number follows" in _printed("board", "check", name)


@pytest.mark.parametrize("name", ["board", "chosen", "reported"])
def test_a_board_has_the_same_numbers(earlier: Path, name: str) -> None:
    from msbench.leaderboard.exports import exports
    from msbench.leaderboard.render import csv

    board = msbench.Board(name)
    stored = pd.read_csv(Path(name) / "board.csv")
    assert len(stored) > 0
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(csv(board.table()))), stored)
    made = exports(board)
    assert json.loads(made["board.json"]) == json.loads((Path(name) / "board.json").read_text())
    rows = [line for line in (Path(name) / "board.md").read_text().splitlines() if line.startswith("|")]
    assert [line for line in made["board.md"].splitlines() if line.startswith("|")] == rows


def test_the_suites_of_the_repository_name_the_same_cells(earlier: Path) -> None:
    from msbench.runs.suite import read_suite

    names = json.loads((earlier / "suites.json").read_text())
    assert names.keys() == {"demo", "demo_models"}
    for board, cells in names.items():
        kept = [cell.name for cell in read_suite(ROOT / "leaderboards" / board).cells]
        assert kept == [_now(old, new) for old, new in zip(cells, kept, strict=True)]


def _now(old: str, new: str) -> str:
    """The name of an earlier cell; of deep_karaoke, which was called cnn_mask, and of a shorter training, another's."""
    changed = (("cnn_mask_small-", "deep_karaoke_small-"), ("complex_unet_small-", "complex_unet_small-"))
    return new if any(old.startswith(before) and new.startswith(after) for before, after in changed) else old


def test_a_recipe_of_the_former_cnn_mask_trains_what_it_trained(
    earlier: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"targets": ["voice", "band"], "sample_rate": 4000, "channels": 1, "frames": 3, "hidden": 4,
               "window_samples": 64, "hop_samples": 16}  # fmt: skip
    data = {"dataset": "folder", "root": "songs", "chunk_seconds": 0.25, "chunks_per_epoch": 2, "batch_size": 2}
    recipe = {
        "name": "cnn_mask",
        "separator": options,
        "data": data,
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
    }
    Path("mine.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["fit", "-c", "mine.yaml", "--output", "mine"]) == 0
    registered = msbench.load("mine/last.ckpt").registered
    assert registered is not None
    assert registered["name"] == "deep_karaoke"
    assert options.items() <= registered["options"].items()
    assert main(["fit", "-c", "mine.yaml", "--output", "on", "--init_from", "networks/cnn_mask.ckpt"]) == 0
    assert msbench.load("cnn_mask", checkpoint="networks/cnn_mask.ckpt").registered["name"] == "deep_karaoke"


def test_records_are_read(earlier: Path) -> None:
    paths = [*earlier.glob("*/record.json"), *earlier.glob("*/records/*.json")]
    assert len(paths) == 12
    for path in paths:
        record = records.read(path)
        assert records.validate(record, str(path)) == record
        from_files = path.parent.name == "evaluated-estimates"
        assert records.tier_of(record) == ("unverified" if from_files else "measured")


def test_an_evaluation_scores_no_track_again(earlier: Path) -> None:
    for output, arguments in (
        ("evaluated", ["board/given.ckpt", "--root", "songs"]),
        ("evaluated-estimates", ["--estimates", "estimates", "--root", "few"]),
    ):
        tracks, record = _digests(Path(output) / "test"), records.read(Path(output) / "record.json")
        times = {path: path.stat().st_mtime_ns for path in (Path(output) / "test").iterdir()}
        _printed("evaluate", *arguments, "--data", "folder", "-o", output)
        assert _digests(Path(output) / "test") == tracks
        assert {path: path.stat().st_mtime_ns for path in times} == times
        assert records.read(Path(output) / "record.json")["scores"] == record["scores"]


def test_prepared_data_and_manifests_are_read(earlier: Path) -> None:
    from msbench.data.opening import open_dataset

    prepared, source = open_dataset("folder", earlier / "prepared"), open_dataset("folder", earlier / "few")
    assert prepared.fingerprint("test") == source.fingerprint("test")
    for target in ("voice", "band"):
        ours, theirs = (data.tracks("test")[0].read(target, 0, 8000) for data in (prepared, source))
        assert np.array_equal(ours, theirs)
    manifest = (earlier / "few" / "msbench-manifest.json").read_bytes()
    printed = _printed("data", "verify", "folder", "--root", "few")
    assert hashlib.sha256(manifest).hexdigest() in printed
    assert (earlier / "few" / "msbench-manifest.json").read_bytes() == manifest
    assert "0 songs to prepare, 1 done before" in _printed(
        "data", "prepare", "folder", "--root", "few", "-o", "prepared"
    )


def test_silences_are_read_and_not_looked_for_again(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from msbench.separation import silences

    listed = json.loads(Path("unlabelled/silences.json").read_text())
    song = Path("unlabelled/a.flac")
    os.utime(song, ns=(song.stat().st_atime_ns, listed["songs"]["a.flac"]["state"]["mtime_ns"]))
    monkeypatch.setattr(silences, "silences_of", lambda *_: pytest.fail("it listens again"))
    found, failed = silences.find(Path("board/given.ckpt"), Path("unlabelled"), threshold_db=-3.0)
    assert found["songs"] == listed["songs"]
    assert not failed
    assert any(listed["songs"]["a.flac"]["silent"].values())
    flags = ["fit", "-c", "tiny.yaml", "--data.dataset", "folder", "--data.root", "songs", "--trainer.max_epochs", "1"]
    _printed(*flags, "--data.unlabelled", "unlabelled", "--data.unlabelled_share", "0.5")


@pytest.fixture
def slurm(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SLURM's commands, which say that every job is waiting."""
    (earlier / "bin").mkdir()
    for name, body in LAUNCHERS.items():
        (earlier / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (earlier / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{earlier / 'bin'}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("slurm")
def test_what_was_submitted_is_under_way(earlier: Path) -> None:
    from msbench.runs.suite import read_suite

    names = {cell.name for cell in read_suite("cluster").cells}
    statuses = json.loads(_printed("status", "cluster", "--json"))
    listed = statuses["cells"] if isinstance(statuses, dict) else statuses
    assert {each["name"] for each in listed} == names
    assert {each["state"] for each in listed} == {"pending"}
    assert "nothing to submit: 8 cells are under way" in _printed("submit", "cluster", "--cluster", "profile.yaml")


def test_a_job_script_of_then_finds_its_cells_of_now(earlier: Path) -> None:
    from msbench.cluster.cell import main as run
    from msbench.runs.suite import read_suite

    lists = sorted(Path("cluster/jobs/0001").glob("train-*.cells"))
    cells = [cell for path in lists for cell in path.read_text().split()]
    assert len(cells) == 4
    assert set(cells) <= {cell.name for cell in read_suite("cluster").cells}
    scripts = "".join(path.read_text() for path in Path("cluster/jobs/0001").glob("*.sh"))
    assert "-m msbench.cluster.cell" in scripts
    assert "-m msbench.cli board build" in scripts
    for cell in cells:  # in board/, the same cells are done
        for stage in ("train", "evaluate"):
            assert run(["board/suite.yaml", cell, "--stage", stage, "--devices", "1", "--num-nodes", "1"]) == 0


@pytest.mark.parametrize("name", ["my_mask", "my_wave"])
def test_what_msbench_new_wrote_is_read(earlier: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSBENCH_PLUGINS", str(earlier / "new" / f"{name}.py"))
    model = msbench.load(name, channels=1).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 1, 5000)).shape == (1, 4, 1, 5000)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        main(["fit", "-c", f"new/{name}.yaml", "--print_config"])
    assert yaml.safe_load(printed.getvalue())["data"]["chunks_per_epoch"] == 160
    spec = spec_from_file_location(f"test_{name}", earlier / "new" / f"test_{name}.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module_from_spec(spec))  # it imports what it calls; tests/scaffold run what it calls


@pytest.fixture(scope="module")
def before() -> Any:
    return json.loads((FILES / "interface.json").read_text())


def test_every_public_name_takes_what_it_took(before: dict[str, Any]) -> None:
    assert set(before["names"]) <= set(msbench.__all__)
    sources = np.random.default_rng(0).standard_normal((2, 4000, 1))
    scores = msbench.bss_eval(references=sources, estimates=sources + 0.1, window=2000, hop=2000)
    assert scores[0].shape == (2, 2)
    assert {"references", "estimates"} <= set(before["names"].pop("bss_eval"))
    for name, known in before["names"].items():
        value = getattr(msbench, name)
        if callable(value):
            signature = inspect.signature(value)
            free = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
            lost = [] if free else [each for each in known if each not in signature.parameters]
            assert not lost, f"msbench.{name} no longer takes {', '.join(lost)}"


def test_every_command_has_the_flags_that_it_had(before: dict[str, Any]) -> None:
    now = interface.flags()
    for command, known in before["flags"].items():
        assert command in now, f"msbench {command} is gone"
        choices = {choice for each in now[command] if each[0] == "{" for choice in each.strip("{}").split(",")}
        for each in known:
            if each[0] == "{":
                lost = set(each.strip("{}").split(",")) - choices
                assert not lost, f"msbench {command} no longer takes {lost}"
            else:
                assert each in now[command], f"msbench {command} no longer has {each}"
