"""What is refused before there is a model; that nothing is downloaded for it is in tests/weights/test_published.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.separation.early_checks import check_inputs, check_outputs
from msbench.separation.inputs import Inputs
from msbench.separation.output import Output

TARGETS = ["voice", "band"]


@pytest.fixture(autouse=True)
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", 0.1 * np.ones(800), 8000)


def test_one_song_that_can_be_read_is_enough() -> None:
    Path("nothing").mkdir()
    Path("b.wav").write_text("no sound")
    bad = [Path("nothing"), Path("b.wav"), Path("c.wav")]
    assert [failure.path for failure in check_inputs(Inputs.of(bad, Path("out")))] == bad
    assert check_inputs(Inputs.of([*bad, Path("a.wav")], Path("out"))) == []
    assert not Path("out").exists()


def test_a_stem_that_msbench_may_have_written_is_for_the_model_to_judge() -> None:
    """By the mark in it, which depends on the weights; a file without one is somebody else's."""
    call = Inputs.of([Path("a.wav")], Path("out")), Output(), TARGETS, "half"
    Path("out/a").mkdir(parents=True)
    with soundfile.SoundFile("out/a/voice.wav", "w", 8000, 1) as file:
        file.comment = f"separated [{'0' * 16}]"
        file.write(np.zeros(8))
    check_outputs(*call, force=False)
    soundfile.write("out/a/band.wav", np.zeros(8), 8000)
    with pytest.raises(FileExistsError, match=r"^out/a/band.wav would be overwritten"):
        check_outputs(*call, force=False)
    check_outputs(*call, force=True)
