"""Tracks scored in several processes: the same scores, shared processors, and a sentence where that fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from msbench import evaluate
from msbench.data.dataset import Dataset
from msbench.data.track import Track
from msbench.evaluation import jobs
from msbench.evaluation.jobs import score_tracks
from msbench.evaluation.options import Scoring
from msbench.evaluation.track import Task
from msbench.system.threads import processors
from tests.evaluation.examples import Filter, scores_of
from tests.tiny import write_model

TARGETS = ["band", "voice"]


def test_processes_change_nothing(songs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is a plugin in a single file, which other processes cannot import by name."""
    from msbench.model.checkpoints import create

    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    torch.manual_seed(0)
    model = create("tiny", {"targets": TARGETS})
    here = evaluate(model, songs)
    heard: list[tuple[int, str]] = []
    there = evaluate(model, songs, jobs=2, progress=lambda done, _count, track, _medians: heard.append((done, track)))
    assert scores_of(there) == scores_of(here)
    assert [done for done, _ in heard] == [1, 2]
    assert {track for _, track in heard} == {"song 0", "song 1"}


class Fate:
    """A source that tells of the process it is in, or ends it."""

    targets = TARGETS

    def __init__(self, dies: bool) -> None:
        self.dies = dies

    def estimates(self, track: Track) -> Any:
        if self.dies:
            os._exit(1)
        raise ValueError(f"{torch.get_num_threads()} threads")


def tasks(songs: Dataset) -> list[Task]:
    return [Task(track, []) for track in songs.tracks("test")]


def test_processes_share_the_processors(songs: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with pytest.raises(ValueError, match=f"{max(1, processors() // 2)} threads"):
        list(score_tracks(Fate(dies=False), tasks(songs), Scoring(), jobs=2))  # type: ignore[arg-type]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_process_that_dies_is_said(songs: Dataset) -> None:
    with pytest.raises(RuntimeError, match=r"a process that scored a track died.*fewer jobs"):
        list(score_tracks(Fate(dies=True), tasks(songs), Scoring(), jobs=2))  # type: ignore[arg-type]


def test_a_model_that_other_processes_cannot_import_is_said(songs: Dataset) -> None:
    class Local(Filter):
        pass

    with pytest.raises(ValueError, match=r"the model cannot be sent to other processes .*: evaluate it with jobs=1"):
        evaluate(Local(), songs, jobs=2)


@pytest.mark.parametrize("place", ["msbench.public", "msbench.gone"])
def test_a_class_that_a_worker_does_not_find_is_said(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a notebook's cell."""
    monkeypatch.setattr(jobs, "_pickled", f"c{place}\nGone\n.".encode(), raising=False)
    with pytest.raises(ValueError, match=r"cannot be sent to other processes \(.*[Gg]one.*\): evaluate it with jobs=1"):
        jobs._received()
