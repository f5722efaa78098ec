"""The activity detector: the list that it makes of a folder, and what it does about files that are bad or changed."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import msbench
from msbench.cli.app import main
from msbench.separation import silences
from msbench.separation.silences import find, silences_of
from tests.data.songs import RATE

# What is silent in a file is known, and the left estimate has a leak of -60 dB of the right.
SIDES = '''
"""Two sides."""
import torch
from msbench import Separator


class Sides(Separator):
    """Each channel is a target."""

    def __init__(self, targets: list[str] = ("left", "right"), sample_rate: int = 8000, channels: int = 2):
        super().__init__(targets, sample_rate, channels)

    def forward(self, mixture):
        zeros = torch.zeros_like(mixture)
        left, right = zeros.clone(), zeros.clone()
        left[:, 0] = mixture[:, 0] + 1e-3 * mixture[:, 1]
        right[:, 1] = mixture[:, 1]
        return torch.stack([left, right], 1)
'''


def song(parts: list[tuple[float, float, float]], rate: int = RATE) -> np.ndarray:
    """(frames, 2) noise of so many seconds at so much amplitude on the left and on the right."""
    rng = np.random.default_rng(0)
    noise = [rng.uniform(-1, 1, (round(seconds * rate), 2)) * [left, right] for seconds, left, right in parts]
    return np.concatenate(noise).astype(np.float32)


PARTS = [(2.0, 0.5, 0.5), (3.0, 0.0, 0.5), (1.0, 0.5, 0.5), (0.75, 0.0, 0.5), (1.25, 0.5, 0.0)]


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sides.py").write_text(SIDES)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "sides.py"))
    path = tmp_path / "sides.ckpt"
    torch.save({"msbench_separator": {"name": "sides", "options": {}}, "state_dict": {}}, path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "songs" / "more").mkdir(parents=True)
    soundfile.write(tmp_path / "songs" / "a.wav", song(PARTS), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "songs" / "more" / "b.flac", song([(2.0, 0.5, 0.0)]), RATE)
    (tmp_path / "songs" / "notes.txt").write_text("no audio")
    return tmp_path / "songs"


@pytest.mark.parametrize("rate", [RATE, 11025, 44100])
def test_silences_are_where_the_estimate_is_silent(tmp_path: Path, checkpoint: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", song(PARTS, rate), rate, subtype="FLOAT")
    seconds, silent = silences_of(msbench.load(checkpoint), tmp_path / "a.wav")
    assert seconds == pytest.approx(8, abs=1e-4)
    # The leak is 60 dB down; three quarters of a second hold one whole block, which is below the least length.
    assert np.allclose(silent["left"], [[2.0, 5.0]], atol=1e-3)
    assert np.allclose(silent["right"], [[7.0, 8.0]], atol=1e-3)


def test_a_long_song_is_read_in_blocks(tmp_path: Path, checkpoint: Path) -> None:
    peaks = []
    for times in (8, 40):
        soundfile.write(tmp_path / "a.wav", song(PARTS * times), RATE, subtype="FLOAT")
        tracemalloc.start()
        _, silent = silences_of(msbench.load(checkpoint), tmp_path / "a.wav")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert silent["left"] == [[8.0 * i + 2, 8.0 * i + 5] for i in range(times)]
    assert peaks[1] < 1.2 * peaks[0]


def test_the_threshold_decides(tmp_path: Path, checkpoint: Path) -> None:
    soundfile.write(tmp_path / "a.wav", song(PARTS), RATE, subtype="FLOAT")
    assert silences_of(msbench.load(checkpoint), tmp_path / "a.wav", -70.0)[1]["left"] == []


def test_a_silent_mixture_says_nothing(tmp_path: Path, checkpoint: Path) -> None:
    soundfile.write(tmp_path / "a.wav", song([(2.0, 0.5, 0.5), (3.0, 0.0, 1e-4)]), RATE, subtype="FLOAT")
    assert silences_of(msbench.load(checkpoint), tmp_path / "a.wav")[1] == {"left": [], "right": []}


def test_a_folder_is_listed(folder: Path, checkpoint: Path) -> None:
    seen = []
    found, failed = find(checkpoint, folder, progress=lambda done, total: seen.append((done, total)))
    assert (failed, seen) == ([], [(1, 2), (2, 2)])
    assert json.loads((folder / "silences.json").read_text()) == found
    assert found["targets"] == ["left", "right"]
    assert list(found["songs"]) == ["a.wav", "more/b.flac"]
    assert found["songs"]["a.wav"]["silent"] == {"left": [[2.0, 5.0]], "right": [[7.0, 8.0]]}
    assert found["songs"]["more/b.flac"]["silent"] == {"left": [], "right": [[0.0, 2.0]]}
    assert found["made_by"]["threshold_db"] == -30
    assert len(found["made_by"]["checkpoint_sha256"]) == 64


def test_only_what_is_new_is_separated(folder: Path, checkpoint: Path) -> None:
    counts = []

    def heard(**options: float) -> int:
        counts.clear()
        found, _ = find(checkpoint, folder, progress=lambda done, total: counts.append(total), **options)
        assert list(found["songs"]) == sorted(found["songs"])
        return counts[0] if counts else 0

    assert heard() == 2
    before = (folder / "silences.json").read_text()
    assert heard() == 0
    assert (folder / "silences.json").read_text() == before
    os.utime(folder / "a.wav", ns=(1, 1))  # as after an edit
    assert heard() == 1
    assert heard(threshold_db=-35.0) == 2
    (folder / "silences.json").write_text("{")
    assert heard(threshold_db=-35.0) == 2
    (folder / "a.wav").unlink()
    assert heard(threshold_db=-35.0) == 0
    assert list(json.loads((folder / "silences.json").read_text())["songs"]) == ["more/b.flac"]


def test_a_stopped_run_has_written_what_it_did(folder: Path, checkpoint: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find(checkpoint, folder, progress=stop)
    assert list(json.loads((folder / "silences.json").read_text())["songs"]) == ["a.wav"]
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_the_command(folder: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.mp3").write_bytes(b"no sound at all")
    soundfile.write(folder / "inexact.ogg", song([(1.0, 0.5, 0.5)]), RATE)
    assert main(["data", "silences", str(checkpoint), str(folder), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    bad, inexact = said.err.splitlines()
    assert bad.startswith(f"warning  cannot read {folder / 'bad.mp3'} as audio")
    assert f"{folder / 'inexact.ogg'} cannot be read in parts exactly" in inexact
    assert "left         0.00 h silent, 3.0 s at the longest" in said.out
    assert said.out.splitlines()[-1] == f"2 songs listed: train with --data.unlabelled {folder}"


def test_no_song_ends_the_others(folder: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (os.fsdecode(b"latin\xe9.wav"), "._a.wav", "@eaDir/a.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((folder / "a.wav").read_bytes())
    (folder / "gone.wav").symlink_to("nowhere.wav")
    os.mkfifo(folder / "pipe.wav")
    assert main(["data", "silences", str(checkpoint), str(folder), "--device", "cpu"]) == 0
    gone, latin, pipe = capsys.readouterr().err.splitlines()
    assert "gone.wav" in gone
    assert latin.endswith("latin\\udce9.wav has a name that is not UTF-8, and silences.json is: rename it")
    assert pipe.endswith("pipe.wav is a pipe or a device: write the audio into a file first")
    assert list(json.loads((folder / "silences.json").read_text())["songs"]) == ["a.wav", "more/b.flac"]


def test_a_bug_is_no_bad_song(
    folder: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(silences, "silences_of", lambda *_: int("x"))
    assert main(["data", "silences", str(checkpoint), str(folder), "--device", "cpu"]) == 1
    assert "--debug" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no.ckpt", "songs"], "no checkpoint no.ckpt"),
        (["sides.ckpt", "nowhere"], "no folder nowhere: correct the path"),
        (["sides.ckpt", "empty"], "empty holds no audio file: name the folder of the songs"),
        (["sides.ckpt", "broken"], "no song in broken can be read: cannot read broken/a.wav as audio"),
        (["sides.ckpt", "songs", "--threshold-db", "3"], "the threshold is in dB below the mixture"),
    ],
)
def test_bad_input(
    folder: Path,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(folder.parent)
    (folder.parent / "empty").mkdir()
    (folder.parent / "broken").mkdir()
    (folder.parent / "broken" / "a.wav").write_text("no audio")
    assert main(["data", "silences", *arguments, "--device", "cpu"]) == 2
    assert sentence in capsys.readouterr().err
    assert not (folder / "silences.json").exists()
