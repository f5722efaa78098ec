"""museval's calls for a track and for a folder give museval's own JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import msbench
from tests.requirements import require


@pytest.fixture(autouse=True)
def museval() -> Any:
    require("ffmpeg")  # museval imports musdb, which wants it
    import museval

    return museval


RATE, SECONDS = 2000, 2
NAMES = ["vocals", "drums", "accompaniment"]


@dataclass
class Target:
    audio: np.ndarray


@dataclass
class Song:
    """What museval looks at of musdb's tracks."""

    targets: dict[str, Target]
    rate: int = RATE
    name: str = "Some - Song"
    subset: str = "test"


def noise(seed: int, samples: int = RATE * SECONDS) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((samples, 1))


@pytest.fixture
def song() -> Song:
    return Song({name: Target(noise(i)) for i, name in enumerate(NAMES)})


def assert_same_json(ours: Any, theirs: Any) -> None:
    found, expected = json.loads(ours.json), json.loads(theirs.json)
    assert [target["name"] for target in found["targets"]] == [target["name"] for target in expected["targets"]]
    for mine, its in zip(found["targets"], expected["targets"], strict=True):
        assert len(mine["frames"]) == len(its["frames"])
        for frame, wanted in zip(mine["frames"], its["frames"], strict=True):
            assert (frame["time"], frame["duration"]) == (wanted["time"], wanted["duration"])
            assert frame["metrics"] == pytest.approx(wanted["metrics"], abs=2e-5, nan_ok=True)
    assert found["museval_version"] == expected["museval_version"]
    assert type(ours) is type(theirs)


@pytest.mark.parametrize("given", [NAMES[:2], NAMES, ["vocals", "accompaniment"], ["drums", "accompaniment"]])
def test_a_track_has_musevals_json(museval: Any, song: Song, given: list[str], tmp_path: Path) -> None:
    samples = RATE * SECONDS + {2: -100, 3: 100}[len(given)]
    estimates = {name: noise(10 + i, samples) for i, name in enumerate(given)} | {"lyre": noise(3)}
    ours = msbench.eval_mus_track(song, estimates, tmp_path / "ours", win=1.0, hop=0.5)
    theirs = museval.eval_mus_track(song, estimates, str(tmp_path / "theirs"), win=1.0, hop=0.5)
    assert_same_json(ours, theirs)
    (written,) = (tmp_path / "ours").rglob("*.json")
    assert written.relative_to(tmp_path / "ours") == Path("test/Some - Song.json")
    assert written.read_text("utf-8") == ours.json


def test_v3(museval: Any, song: Song) -> None:
    estimates = {name: noise(10 + i) for i, name in enumerate(NAMES[:2])}
    assert_same_json(
        msbench.eval_mus_track(song, estimates, mode="v3"), museval.eval_mus_track(song, estimates, mode="v3")
    )


@pytest.mark.parametrize("given", [[], ["vocals"]])
def test_one_estimate_has_no_scores_and_a_warning(song: Song, given: list[str]) -> None:
    with pytest.warns(UserWarning, match="two targets at least"):
        store = msbench.eval_mus_track(song, dict.fromkeys(given, noise(9)))
    assert store.scores["targets"] == []


def test_a_name_that_leads_out_of_the_output_is_refused(song: Song, tmp_path: Path) -> None:
    song.name = "../song"
    with pytest.raises(ValueError, match="begins with a dot"):
        msbench.eval_mus_track(song, {name: noise(9 + i) for i, name in enumerate(NAMES)}, tmp_path)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    pair = tmp_path / "song", tmp_path / "estimates"
    for i, folder in enumerate(pair):
        folder.mkdir()
        for j, name in enumerate(NAMES[:2]):
            soundfile.write(folder / f"{name}.wav", 0.1 * noise(2 * i + j), RATE)
    return pair


@pytest.mark.parametrize("mode", ["v4", "v3"])
def test_a_folder_has_musevals_scores(museval: Any, folders: tuple[Path, Path], mode: str, tmp_path: Path) -> None:
    ours = msbench.eval_dir(*folders, output_dir=tmp_path / "out", mode=mode)
    theirs = museval.eval_dir(*(str(folder) for folder in folders), mode=mode)
    theirs.scores["targets"].sort(key=lambda target: target["name"])  # it goes by the file system's order
    assert_same_json(ours, theirs)
    assert (tmp_path / "out" / "song.json").read_text("utf-8") == ours.json
    assert ours.track_name == "song"


def test_folders_that_cannot_be_compared(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no WAV files"):
        msbench.eval_dir(tmp_path, folders[1])
    soundfile.write(folders[1] / "vocals.wav", noise(0), 2 * RATE)
    with pytest.raises(ValueError, match=r"one sample rate: .*2000 Hz, .*4000 Hz"):
        msbench.eval_dir(*folders)
    (folders[1] / "vocals.wav").rename(folders[1] / "voice.wav")
    with pytest.raises(ValueError, match=r"the same names: only one has vocals.wav, voice.wav"):
        msbench.eval_dir(*folders)
