"""What a stem says it was made with: the same call knows it again, and no other does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from msbench.audio.formats import FORMATS
from msbench.separation.batch import separate_files
from msbench.separation.inference import Inference
from msbench.separation.marks import Marks, mark_of
from msbench.separation.output import Output
from tests.separation.test_pipeline import Conv


@pytest.fixture
def song(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "song.wav", 0.1 * np.ones((16000, 2)), 16000)
    return tmp_path / "song.wav"


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_call_knows_its_stems_in_every_format(song: Path, tmp_path: Path, kind: str) -> None:
    model = Conv()
    stems = separate_files(model, [song], tmp_path / "out", format=kind)[song]
    marks = Marks(model, "Conv", Inference(), Output(format=kind))
    assert marks.are_on(song, [*stems.values()]) == [True, True]


def test_every_other_call_has_another_mark(song: Path, tmp_path: Path) -> None:
    def mark(model: Conv, file: Path = song, output: Output | None = None, **inference: float) -> str:
        return Marks(model, "Conv", Inference(**inference), output or Output()).comment(file)  # type: ignore[arg-type]

    model, other = Conv(), Conv()
    other.load_state_dict(model.state_dict())
    mine = mark(model)
    assert mark(other) == mine
    assert mark(model, batch_size=4) == mine  # which changes no sample
    assert mark(model, output=Output(name="{target}/{track}")) == mine
    copy = tmp_path / "copy.wav"
    copy.write_bytes(song.read_bytes())
    assert mark(model, copy) == mine
    copy.write_bytes(song.read_bytes()[:-2] + b"xy")
    with torch.no_grad():
        other.net[0].bias[0] += 1
    others = [mark(model, copy), mark(other), mark(model, overlap=0.5), mark(model, output=Output(residual="x"))]
    assert len({mine, *others}) == 5


def test_files_without_a_mark(song: Path, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    assert [mark_of(path) for path in (song, tmp_path / "text.wav", tmp_path, tmp_path / "absent.wav")] == [None] * 4
