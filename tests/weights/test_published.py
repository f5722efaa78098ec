"""Published weights as checkpoints, through `separate`, `evaluate` and a suite, to the record."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

import msbench
from msbench import records
from msbench.cli.app import main
from msbench.cluster.cell import run_stage
from msbench.runs.naming import name_cells
from msbench.runs.state import read_state
from msbench.runs.suite import read_suite
from msbench.system.files import sha256_of
from msbench.weights import catalogue, fetching
from msbench.weights.published import load as load_published
from tests.weights.publisher import Publisher


def score(name: str, *flags: str) -> dict[str, Any]:
    command = ["evaluate", name, "--data", "folder", "--root", "songs", "--metrics", "none", "-o", f"out-{name}"]
    assert main([*command, "--device", "cpu", *flags]) == 0
    return dict(json.loads(Path(f"out-{name}/record.json").read_text()))


def lacking(record: Any) -> set[str]:
    """What a record lacks that no record of this checkout and this dataset without a version has."""
    return {field for field in records.record.lacking(record) if not field.startswith(("code", "dataset"))}


def test_a_song_is_separated_by_name(theirs: Publisher, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("song.wav", 0.1 * np.ones(800), 8000)
    assert main(["separate", "both", "song.wav", "-o", "out", "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert f"fetching the weights both (CC0) from {theirs.address}/a.ckpt" in said.err
    assert sorted(path.name for path in Path("out/song").iterdir()) == ["band.wav", "voice.wav"]
    assert sorted(path.name for path in (cache / "both").iterdir()) == ["a.ckpt", "b.ckpt"]
    assert main(["separate", "both", "song.wav", "-o", "out", "--device", "cpu"]) == 0
    assert "fetching" not in capsys.readouterr().err
    assert len(theirs.asked) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.wav"], "no audio file missing.wav: correct the path"),
        (["missing.wav", "empty.wav"], "2 of 2 inputs failed, as listed above"),
        (["song.wav", "--format", "wave"], "unknown format 'wave'"),
        (["song.wav", "--clip", "hard"], "unknown clip 'hard'"),
        (["song.wav", "--name", "{track}"], "must hold {target}"),
        (["song.wav", "--two-stems", "voic"], "the model has no target 'voic'. Did you mean voice"),
        (["song.wav", "--overlap", "2"], "overlap is a share of a chunk"),
        (["song.wav", "--window", "tri"], "unknown window 'tri'"),
        (["song.wav", "other/song.wav", "--name", "{target}"], "would both be out/voice.wav"),
        (["song.wav", "-o", "song.wav"], "song.wav is a file where the folder of the stems would go"),
        (["song.wav", "-o", "/proc/out"], "cannot write in /proc"),
        (["song.wav", "--name", "mine/{target}"], "out/mine/voice.wav would be overwritten"),
    ],
)
def test_a_song_that_cannot_be_separated_costs_no_download(
    arguments: list[str],
    said: str,
    theirs: Publisher,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    access = os.access  # root may write everywhere
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith("/proc") and access(path, mode))
    for place in ("song.wav", "other/song.wav", "out/mine/voice.wav"):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, 0.1 * np.ones(800), 8000)
    Path("empty.wav").touch()
    assert main(["separate", "both", "-o", "out", "--device", "cpu", *arguments]) in (1, 2)
    assert said in capsys.readouterr().err
    assert theirs.asked == []
    assert [str(path) for path in Path("out").rglob("*.wav")] == ["out/mine/voice.wav"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--root", "absent"], "absent"),
        (["--split", "tset"], "tset"),
        (["--metrics", "si-sdrr"], "unknown metric 'si-sdrr'"),
        (["--jobs", "0"], "jobs must be at least 1"),
        (["--set", "separator.targets=[voice,banjo]"], "has no target banjo"),
    ],
)
def test_a_model_that_cannot_be_scored_costs_no_download(
    arguments: list[str], said: str, theirs: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "one", "--data", "folder", "--root", "songs", "--device", "cpu"]
    assert main([*command, *arguments]) == 2
    assert said in capsys.readouterr().err
    assert theirs.asked == []


def test_the_record_names_the_weights(theirs: Publisher) -> None:
    record = score("one")
    assert record["checkpoint"]["weights"] == "one"
    assert record["checkpoint"]["sha256"] == fetching.sha256_of("a.ckpt")
    assert record["model"]["licence"] == "CC0"
    assert record["training"] == {
        "data": "standard", "datasets": ["folder"], "splits": {"folder": ["train"]}, "tracks": None, "hours": None,
    }  # fmt: skip
    assert lacking(record) == set()  # neither seed nor step nor hours, which nobody knows of what others trained


def test_a_bag_is_scored(theirs: Publisher) -> None:
    record = score("both")
    assert record["model"]["name"] == "bag"
    assert [member["model"] for member in record["model"]["options"]["members"]] == ["tiny", "tiny"]
    assert record["model"]["label"] == "both"
    files = [{"name": "tiny", "sha256": sha256_of(f"{name}.ckpt")} for name in "ab"]
    assert record["model"]["members"] == files
    assert record["training"]["data"] == "extra"
    assert lacking(record) == set()


def test_an_ensemble_of_weights_is_as_sure_as_they_are(theirs: Publisher) -> None:
    for name in ("one", "both"):
        fetching.fetch(catalogue.find(name))
    record = score("ensemble", "--set", "separator.members=[one,both]")
    assert [member["name"] for member in record["model"]["members"]] == ["one", "both"]
    assert record["model"]["licence"] == "CC0"
    assert lacking(record) == set()
    record["model"]["members"][1]["sha256"] = None  # from memory, so from nobody knows where
    assert lacking(record) == {"model.members.1.sha256"}


def test_a_file_that_is_here(theirs: Publisher) -> None:
    assert load_published("one", ["a.ckpt"]).weights_name == "one"
    assert theirs.asked == []
    record = score("one", "--weights", "b.ckpt")  # of the same format, and another network
    assert "weights" not in record["checkpoint"]
    assert record["training"]["data"] == "unknown"
    assert main(["separate", "on", "songs", "-o", "out", "--weights", "a.ckpt"]) == 2


def test_a_file_of_the_cache_that_was_changed(theirs: Publisher, cache: Path) -> None:
    (path,) = fetching.fetch(catalogue.find("one"))
    path.write_bytes(Path("b.ckpt").read_bytes())
    with pytest.raises(ValueError, match=r"a.ckpt is not the publisher's file: .*: delete it, then msb"):
        load_published("one")


def test_a_suite_that_names_weights(theirs: Publisher) -> None:
    Path("board").mkdir()
    suite = "datasets: [folder]\nroots: {folder: ../songs}\nmetrics: []\nmodels:\n"
    Path("board/suite.yaml").write_text(suite + "  - weights: one\n  - {weights: tested, label: cheat}\n  - mixture\n")
    cells = read_suite("board").cells
    assert [(cell.label, cell.model, cell.weights, cell.seed) for cell in cells[:2]] == [
        ("one", "tiny", "one", None),
        ("cheat", "tiny", "tested", None),
    ]
    assert [cell.name for cell in name_cells("board").cells] == [cell.name for cell in cells]
    suite = read_suite("board")
    assert run_stage(suite, suite.cells[1], "evaluate") == 0
    record = records.read(suite.record_path(suite.cells[1]))
    assert (record["checkpoint"] or {})["weights"] == "tested"
    assert (record["training"] or {})["data"] == "extra"  # more than the training split
    (row,) = msbench.Board("board").table().to_dict("records")
    assert (row["model"], row["tier"]) == ("cheat", "contaminated")
    assert pd.isna(row["rank"])


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("roots: {folder: ../absent}", "absent"),
        ("metrics: [si-sdrr]", "unknown metric 'si-sdrr'"),
        ("split: tset", "tset"),
    ],
)
def test_a_cell_that_cannot_be_scored_costs_no_download(
    field: str, said: str, theirs: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("board").mkdir()
    fields = {"datasets": "[folder]", "roots": "{folder: ../songs}", "metrics": "[]", "models": "[{weights: one}]"}
    fields |= [field.split(": ", 1)]  # type: ignore[arg-type]
    Path("board/suite.yaml").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    try:
        suite = read_suite("board")
        run_stage(suite, suite.cells[0], "evaluate")
        found = read_state(suite.run_folder(suite.cells[0]))["error"]
    except ValueError as error:
        found = str(error)
    assert said in found
    assert theirs.asked == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{weights: one, model: tiny}", "has `weights` and `model`: published weights come with their model"),
        ("{weights: on}", "unknown weights 'on'. Did you mean one"),
        ("{label: x}", "needs `recipe:`, `model:` or `weights:`"),
    ],
)
def test_an_entry_that_cannot_be(entry: str, said: str, theirs: Publisher) -> None:
    Path("suite.yaml").write_text(f"datasets: [folder]\nmodels:\n  - {entry}\n")
    with pytest.raises(ValueError, match=said):
        read_suite(".")
