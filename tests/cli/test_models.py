"""`msbench separate` on several files: a bad one stops no other, and a bug is not taken for a bad file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.cli.app import main

MODEL = '''
from msbench import Separator

class Tiny(Separator):
    """A tiny model."""

    trainable = False

    def __init__(self, targets=("voice", "band"), sample_rate=8000, channels=1):
        super().__init__(targets, sample_rate, channels)

    def forward(self, mixture):
        BODY
        return mixture.unsqueeze(1).expand(-1, 2, -1, -1)
'''


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name in ("a", "c"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * np.ones(8000), 8000)
    (tmp_path / "b.wav").write_bytes(b"no sound")
    return [str(tmp_path / f"{name}.wav") for name in "abc"]


def separate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, files: list[str]) -> int:
    (tmp_path / "tiny.py").write_text(MODEL.replace("BODY", body))
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "tiny.py"))
    return main(["separate", "tiny", *files, "-o", str(tmp_path / "out"), "--device", "cpu"])


def test_a_bad_file_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert separate(tmp_path, monkeypatch, "pass", files) == 2
    assert "1 of 3 files failed: " in (said := capsys.readouterr().err.splitlines()[-1])
    assert "b.wav" in said
    assert sorted(path.parent.name for path in tmp_path.glob("out/*/voice.wav")) == ["a", "c"]


@pytest.mark.parametrize("body", ["int('x')", "{}['voice']", "open('absent.wav')"])
def test_a_bug_of_a_model_is_no_bad_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    capsys: pytest.CaptureFixture[str],
    body: str,
) -> None:
    assert separate(tmp_path, monkeypatch, body, files) == 1
    assert "--debug" in capsys.readouterr().err


def test_a_refusal_of_a_model_is_told_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert separate(tmp_path, monkeypatch, "raise ValueError('too short')", files) == 2
    assert "3 of 3 files failed: " in capsys.readouterr().err
