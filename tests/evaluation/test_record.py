"""The record of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from msbench import evaluate, evaluate_estimates
from msbench.data.dataset import Dataset
from msbench.data.opening import open_dataset
from msbench.evaluation.record import speed
from msbench.leaderboard.board import Board
from msbench.leaderboard.render import markdown
from msbench.records import provenance
from msbench.system.files import write_json
from tests.evaluation.examples import Filter, path_of, write_estimates
from tests.tiny import RATE


def test_a_board_ranks_files_among_models(songs: Dataset, tmp_path: Path) -> None:
    """Of files, neither the speed nor the size of the model is known; and a track without scores counts for nothing."""
    soundfile.write(path_of(songs, "song 1", "voice"), np.zeros(2 * RATE), RATE, subtype="FLOAT")
    songs = open_dataset("folder", songs.root)
    for label in ("one", "two"):
        record = evaluate_estimates(write_estimates(tmp_path / label, songs, Filter()), songs)
        write_json(tmp_path / "board" / "records" / f"{label}.json", record)
    write_json(tmp_path / "board" / "records" / "model.json", evaluate(Filter(), songs, label="model"))
    board = Board(tmp_path / "board")
    table = board.table().set_index("model")
    assert table["voice SDR"].nunique() == 1
    assert table["rtf"].isna().to_dict() == {"one": True, "two": True, "model": False}
    assert "| one | system |" in markdown(board.table(), "title", {})


CARDS = {"cuda": "card zero", "cuda:0": "card zero", "cuda:1": "card one"}


@pytest.mark.parametrize("device", [*CARDS, "cpu"])
def test_a_record_names_the_card_that_was_used(songs: Dataset, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda which="cuda": CARDS[str(which)])
    monkeypatch.setattr(provenance, "driver", lambda: "a driver")
    tracks = songs.tracks("test")
    results: Any = {track.name: {"msbench_seconds": 1.0, "msbench_peak_bytes": 5} for track in tracks}
    found = speed(tracks, results, device)
    if device == "cpu":
        assert (found["hardware"], found["gpu"], found["driver"]) == (provenance.hardware(), None, None)
    else:
        assert (found["hardware"], found["gpu"], found["driver"]) == (CARDS[device], CARDS[device], "a driver")
    assert (found["seconds"], found["real_time_factor"], found["peak_bytes"]) == (2.0, 0.5, 5)


def test_a_run_that_does_not_fit_the_schema_is_refused(songs: Dataset) -> None:
    """A record is complete when it is validated, and nothing is added later."""
    with pytest.raises(ValueError, match=r"the new record: field run\.restarts"):
        evaluate(Filter(), songs, metrics=(), run=lambda: {"restarts": "twice"})  # type: ignore[typeddict-item]
