"""Excerpts: which tracks are kept as audio, and when none can be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from msbench import evaluate
from msbench.data.dataset import Dataset
from msbench.data.track import Track
from tests.evaluation.examples import Filter, scores_of


@pytest.fixture
def published(songs: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(type(songs), "excerpts_allowed", True)
    return songs


def test_the_first_tracks_are_kept_and_no_number_changes(published: Dataset, tmp_path: Path) -> None:
    without = evaluate(Filter(), published, metrics=["snr"])
    record = evaluate(Filter(), published, metrics=["snr"], output=tmp_path, excerpts=1)
    assert scores_of(record) == scores_of(without)
    folder = tmp_path / "excerpts" / "test"
    assert json.loads((folder / "excerpts.json").read_text())["model"] == "Filter"
    sounds = {"mixture", "reference.voice", "reference.band", "estimate.voice", "estimate.band"}
    assert {path.stem for path in (folder / "song 0").glob("*.mp3")} == sounds
    assert not (folder / "song 1").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"excerpts": -1}, "excerpts must be a number of tracks, not -1"),
        ({"excerpts": 1, "output": None}, "excerpts need an output folder"),
    ],
)
def test_bad_options(published: Dataset, tmp_path: Path, options: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        evaluate(Filter(), published, **{"output": tmp_path, **options})


def test_a_rate_that_mp3_does_not_have(published: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Track, "sample_rate", 96000)
    with pytest.raises(
        ValueError, match="MP3, which cannot hold the 1 channels at 96000 Hz of track 'song 0': leave out excerpts"
    ):
        evaluate(Filter(), published, output=tmp_path, excerpts=1)
