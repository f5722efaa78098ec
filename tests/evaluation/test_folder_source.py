"""Files of estimates: their layouts, and what is said of files that do not fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from msbench import evaluate, evaluate_estimates
from msbench.cli.app import main
from msbench.data.dataset import Dataset
from tests.evaluation.examples import Filter, not_a_number, rewrite, scores_of, write_estimates
from tests.tiny import RATE


def test_the_layout_without_a_split_and_flac_are_read_too(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter(), "flac")
    record = evaluate_estimates(folder / "test", songs)
    expected = evaluate(Filter(), songs)
    for track, targets in expected["scores"].items():
        for target, scores in targets.items():
            for metric, value in scores.items():
                assert record["scores"][track][target][metric] == pytest.approx(value, abs=1e-2), metric


def test_some_targets_of_a_folder_are_scored_with_the_rest(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter(targets=["voice"]))
    record = evaluate_estimates(folder, songs)
    assert scores_of(record) == scores_of(evaluate(Filter(targets=["voice"]), songs))
    assert set(record["scores"]["song 0"]) == {"voice", "rest"}


def a_shorter_file(estimate: Path) -> None:
    rewrite(estimate, np.ones(2 * RATE - 1))


def another_rate(estimate: Path) -> None:
    rewrite(estimate, rate=2 * RATE)


def stereo(estimate: Path) -> None:
    rewrite(estimate, np.ones((2 * RATE, 2)))


def no_audio(estimate: Path) -> None:
    estimate.write_text("oops")


def no_file(estimate: Path) -> None:
    estimate.unlink()


def no_track(estimate: Path) -> None:
    estimate.parent.rename(estimate.parent.with_name("song one"))


def both_formats(estimate: Path) -> None:
    estimate.with_suffix(".flac").write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (a_shorter_file, r"song 1/voice.wav has 15999 samples, .*voice.wav 16000, .*: export it with the same length"),
        (
            another_rate,
            r"song 1/voice.wav has a sample rate of 16000 Hz, .*voice.wav of 8000 Hz, .*: resample one of the two",
        ),
        (stereo, r"song 1/voice.wav has 2 channels, .*voice.wav 1, .*: export it with as many channels"),
        (not_a_number, r"track 'song 1': \S+ 1/voice.wav holds NaN or infinity at 1.000 s: write it again"),
        (no_audio, r"cannot read \S+ 1/voice.wav as audio"),
        (no_file, r"song 1 has no voice.wav or .flac, and other tracks have: separate the track again"),
        (no_track, r"lacks 1 of 2 tracks, 'song 1' first: separate them"),
        (both_formats, r"voice.wav and voice.flac are both there: remove the one"),
    ],
)
def test_bad_estimates(
    songs: Dataset, tmp_path: Path, spoil: Any, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter())
    spoil(folder / "test" / "song 1" / "voice.wav")
    command = ["evaluate", "--estimates", str(folder), "--data", "folder", "--root", str(songs.root)]
    assert main([*command, "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(sentence, said.replace(str(tmp_path), "")), said
    assert not (tmp_path / "out" / "record.json").exists()


def test_what_is_scored_follows_from_all_tracks(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter())
    first = next(path for path in sorted(folder.rglob("*.wav")) if path.parent.name == "song 0")
    first.unlink()
    with pytest.raises(FileNotFoundError, match=rf"song 0 has no {first.name} or .flac, and other tracks have"):
        evaluate_estimates(folder, songs)


def test_an_estimate_that_is_not_read_is_named(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter())
    for path in list(folder.rglob("*.wav")):
        if path.stem == songs.stems[0]:
            path.rename(path.with_suffix(".m4a"))
    with pytest.raises(ValueError, match=rf"{songs.stems[0]}.m4a is an estimate of '{songs.stems[0]}' that is not"):
        evaluate_estimates(folder, songs)
