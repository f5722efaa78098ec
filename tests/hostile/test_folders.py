"""Files that come within a folder of ours, as a cloned board's or a run's: bounded, looked at, never followed."""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

from msbench import evaluate_estimates
from msbench.cli.app import main
from msbench.cluster.submission import Submission
from msbench.data.opening import open_dataset
from msbench.data.upkeep.verify import _CheckedSongs, verify
from msbench.leaderboard import paired, statistics
from msbench.leaderboard.site.cards import MOST_FIELDS, MOST_LISTED, _first
from msbench.leaderboard.site.sound import Sound
from msbench.leaderboard.statistics import _resampled_medians, compare
from msbench.runs.lock import exclusive
from msbench.runs.state import run_summary
from msbench.system.bounded import read_json, read_tail
from tests.data.songs import write_musdb18hq
from tests.evaluation.examples import Filter, scores_of, write_estimates
from tests.tiny import write_songs

HEAD = "method,track,target,frames,SDR,ISR,SIR,SAR\n"


@pytest.mark.parametrize("kind", ["link", "pipe", "zeros", "deep"])
def test_json_is_read_within_bounds(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "deep":
        path.write_text("[" * 100_000)
    else:
        path.symlink_to({"link": tmp_path / "x.json", "zeros": "/dev/zero"}[kind])
    with pytest.raises(ValueError, match=r"regular file|levels deep"):
        read_json(path)
    assert read_tail(path, 4) == ("[[[[" if kind == "deep" else "")


def test_a_lock_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "precious.txt").write_text("years of work")
    (tmp_path / "run" / "run.lock").symlink_to(tmp_path / "precious.txt")
    with pytest.raises(ValueError, match=r"run.lock is a link"), exclusive(tmp_path / "run"):
        pass
    assert (tmp_path / "precious.txt").read_text() == "years of work"


@pytest.mark.parametrize("name", ["../../../victim", "/bin/true", "a\nb", 7])
def test_a_plan_names_scripts_in_its_own_folder(name: Any, tmp_path: Path) -> None:
    array = {"name": name, "stage": "train", "after": None, "cells": ["a"]}
    (tmp_path / "plan.json").write_text(json.dumps({"arrays": [array]}))
    with pytest.raises(ValueError, match=r"plan.json is not the plan of a submission"):
        Submission.read(tmp_path)


def test_attempts_of_a_stranger_are_no_part_of_a_record(tmp_path: Path) -> None:
    ours = {"stage": "train", "started": 0, "ended": 3600, "gpus": 2, "slurm_job_id": "8_0", "exit_code": 0}
    odd = [{}, {"stage": "train"}, {**ours, "gpus": "x"}, {**ours, "started": 1e300}, {**ours, "slurm_job_id": [1]}]
    (tmp_path / "attempts.json").write_text(json.dumps([*odd, ours]))
    assert run_summary(tmp_path) == {"restarts": 0, "hours": 1.0, "gpu_hours": 2.0, "slurm_job_ids": ["8_0"]}


@pytest.mark.parametrize("change", [{"targets": 7}, {"targets": [{"name": "voice"}]}, {"msbench_beside": {}}])
def test_a_result_that_is_none_is_scored_again(change: dict[str, Any], tmp_path: Path) -> None:
    songs = open_dataset("folder", write_songs(tmp_path / "songs", seconds=0.3))
    folder = write_estimates(tmp_path / "estimates", songs, Filter())
    first = evaluate_estimates(folder, songs, output=tmp_path / "out", metrics=())
    path = tmp_path / "out" / "test" / "song 0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert scores_of(evaluate_estimates(folder, songs, output=tmp_path / "out", metrics=())) == scores_of(first)


@pytest.mark.parametrize(
    "row",
    [
        b"A,x,vocals,1,\xff,1,1,1",
        b"A,x,vocals,1,nan,1,1,1",
        b"A,x,vocals,1,1e300,1,1,1",
        b"A,../x,vocals,1,1,1,1,1",
        b"A," + b"x" * 200_000 + b",vocals,1,1,1,1,1",
        b"\x1b[31m,x,vocals,1,1,1,1,1",
    ],
)
def test_a_table_of_scores(row: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sisec.csv").write_bytes(HEAD.encode() + row + b"\n")
    assert main(["board", "import", "sisec18", str(tmp_path / "sisec.csv"), str(tmp_path / "board")]) == 2
    said = capsys.readouterr().err
    assert "sisec.csv" in said
    assert len(said) < 1000
    assert not (tmp_path / "board").exists()


def test_a_card_shows_some_of_thousands_of_fields() -> None:
    group = {str(i): {str(j): i for j in range(1000)} for i in range(1000)}
    shown = _first(group)
    assert len(shown) == MOST_FIELDS + 1
    assert shown[-1] == ("…", "and more: see the record")
    ((_, text),) = _first({"tracks of it": ["x" * 10_000] * 10_000})
    assert text.endswith(f", and {10_000 - MOST_LISTED} more")
    assert len(text) < 100 * MOST_LISTED


def test_an_excerpt_that_unpacks_to_hours(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "mixture.mp3", np.zeros(8000 * 7200, np.int16), 8000, format="FLAC")
    assert (tmp_path / "mixture.mp3").stat().st_size < 2**20
    with pytest.raises(ValueError, match="is longer than 60 s: it is no excerpt"):
        Sound._picture(cast("Any", None), tmp_path / "mixture.mp3", "key")


def test_ten_thousand_tracks_are_compared_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 2000)
    drawn = np.random.default_rng(0).normal(size=(2, 10_000, 2))
    tracemalloc.start()
    _resampled_medians(drawn)
    assert tracemalloc.get_traced_memory()[1] < 150 * 2**20
    tracemalloc.stop()


def test_blocks_leave_every_number_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(0).normal(size=(16, 9, 3))
    scores = {str(j): drawn[:, :, j].T[:, :2] for j in range(3)}
    whole, pairs = _resampled_medians(drawn), compare(cast("Any", scores)).pairs
    for module in (statistics, paired):
        monkeypatch.setattr(module, "NUMBERS", 1000)
    assert (_resampled_medians(drawn) == whole).all()
    assert compare(cast("Any", scores)).pairs.equals(pairs)


def test_doctor_runs_no_code_that_it_cannot_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "canary"
    code = f"import os\nos.system('touch {canary}')\nfrom msbench import Separator\nclass Odd(Separator): pass\n"
    (tmp_path / "odd.py").write_text(code)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "odd.py"))
    main(["doctor"])
    assert re.search(r"unchecked \(msbench check NAME imports one\): .*\bodd\b", capsys.readouterr().out)
    assert not canary.exists()


@pytest.mark.parametrize("line", ["[" * 100_000, '{"key": "K", "result": {"findings": [[1]], "files": {}}}', "7"])
def test_what_a_stopped_run_has_checked(line: str, tmp_path: Path) -> None:
    songs = open_dataset("folder", write_songs(tmp_path / "songs", seconds=0.1))
    song = next(iter(songs.songs("test")))
    key = _CheckedSongs(songs.root).key(songs, song)
    (tmp_path / "songs" / ".msbench-verify").write_text(line.replace("K", key) + "\n")
    assert verify(songs, jobs=1).errors == []


def test_a_prepared_list_that_names_a_pipe(tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq", train=1, frames=800)
    assert main(["data", "prepare", "musdb18hq", "--root", str(root), "-o", str(tmp_path / "fast")]) == 0
    path = next((tmp_path / "fast").rglob("vocals.wav"))
    path.unlink()
    os.mkfifo(path)
    listed = tmp_path / "fast" / "msbench-prepared.json"
    content = json.loads(listed.read_text())
    for split in content["splits"].values():
        for track in split["tracks"].values():
            track["files"]["vocals"]["bytes"] = 0
    listed.write_text(json.dumps(content))
    data = ["--data", "musdb18hq", "--root", str(tmp_path / "fast"), "--split", path.parts[-3]]
    assert main(["evaluate", "mixture", *data, "--metrics", "none", "-o", str(tmp_path / "out")]) == 2
