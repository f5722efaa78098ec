"""Evaluation: a model and its files give one and the same record; bad input is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import msbench
from msbench import evaluate, evaluate_estimates, records
from msbench.cli.app import main
from msbench.data.dataset import Dataset
from msbench.evaluation.run import untrained
from msbench.metrics import catalogue
from tests.evaluation.examples import Filter, scores_of, write_estimates


def test_files_of_a_model_score_as_the_model(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter())
    names = [*catalogue.DEFAULT, "l1-spectrogram", "stoi"]
    of_model = evaluate(Filter(), songs, metrics=names)
    of_files = evaluate_estimates(folder, songs, metrics=names, targets=["voice", "band"])
    assert scores_of(of_files) == scores_of(of_model)
    assert of_files["model"]["label"] == "estimates"
    assert of_files["speed"]["real_time_factor"] is None


def test_the_command_scores_files(songs: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, output = write_estimates(tmp_path / "mine", songs, Filter()), tmp_path / "out"
    command = ["evaluate", "--estimates", str(folder), "--data", "folder", "--root", str(songs.root)]
    options = ["--metrics", "snr", "--targets", "voice,band", "--seed", "3"]
    assert main([*command, "-o", str(output), *options]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(output / "record.json")
    record = records.read(output / "record.json")
    medians = np.median([targets["voice"]["SDR"] for targets in record["scores"].values()])
    assert f"[2/2] song 1: median SDR so far voice {medians:.2f}" in " ".join(said.err.split())
    assert scores_of(record) == scores_of(evaluate(Filter(), songs, metrics=["snr"]))
    assert record["model"]["label"] == "mine"
    assert record["seed"] == 3
    assert records.tier_of(record) == "unverified"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "evaluate needs a model or --estimates DIR, one of the two"),
        (["mixture", "--estimates", "."], "one of the two"),
        (["mixture", "--targets", "voice"], "--targets chooses among files"),
        (["--estimates", "nowhere"], "no folder of estimates nowhere"),
        (["mixture", "--metrics", "si-sdrr"], "unknown metric 'si-sdrr'. Did you mean si-sdr"),
        (["mixture", "--set", "separator.targets=[x", "--set", "a=b"], "separator.targets is not YAML"),
        (
            ["mixture", "--set", "targets=[voice]"],
            "'targets=[voice]' is no setting of a model, as separator.channels=1",
        ),
        (["mixture", "--set", "separator.channels=1", "--set", "separator.channels=2"], "channels is given twice"),
        (["mixture", "--set", "separator.depth=1"], "model 'mixture' has no option 'depth'"),
        (["--estimates", ".", "--set", "separator.channels=1"], "--set is for a model: files (--estimates) have none"),
        (["rpca"], "(the stems of folder): name others, separator.targets=[vocals,accompaniment], by --set"),
        (["mixture", "--jobs", "0"], "jobs must be at least 1, not 0"),
        (["--estimates", "SONGS", "--targets", "drums"], "dataset 'folder' has no target drums: it has"),
    ],
)
def test_bad_commands(
    songs: Dataset, arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(songs.root) if argument == "SONGS" else argument for argument in arguments]
    common = ["--data", "folder", "--root", str(songs.root), "-o", str(tmp_path / "out")]
    assert code_of(["evaluate", *arguments, *common]) == 2
    assert sentence in capsys.readouterr().err


def code_of(command: list[str]) -> int:
    try:
        return main(command)
    except SystemExit as end:  # of argparse
        return int(str(end.code))


def test_a_model_is_evaluated_with_options_of_its_own(songs: Dataset, tmp_path: Path) -> None:
    """Into the folder of another evaluation, whose results are of other options and do not count."""
    command = ["evaluate", "oracle_irm", "--data", "folder", "--root", str(songs.root), "-o", str(tmp_path / "out")]
    found = []
    for window in (2048, 4096):
        assert (
            main([*command, "--set", f"separator.window_samples={window}", "--set", "separator.targets=[voice]"]) == 0
        )
        found.append(records.read(tmp_path / "out" / "record.json"))
        model = msbench.load("oracle_irm", **parts_of(songs), targets=["voice"], window_samples=window)
        assert scores_of(found[-1]) == scores_of(evaluate(model, songs))
    assert found[0]["model"]["config_sha256"] != found[1]["model"]["config_sha256"]


def parts_of(songs: Dataset) -> dict[str, int]:
    track = songs.tracks("test")[0]
    return {"sample_rate": track.sample_rate, "channels": track.channels}


def test_a_model_that_is_built_takes_no_options(songs: Dataset) -> None:
    with pytest.raises(TypeError, match="`separator` is for a model given by name: this one is built"):
        evaluate(Filter(), songs, separator={"targets": ["voice"]})


def test_a_dataset_without_the_models_target(songs: Dataset) -> None:
    with pytest.raises(ValueError, match="dataset 'folder' has no target drums: it has"):
        evaluate(Filter(targets=["drums"]), songs)


def test_an_untrained_model_is_given_of_the_dataset_what_it_takes(songs: Dataset) -> None:
    """REPET has its own targets and is made for the dataset's rate and channels; the mixture has all three."""
    track = songs.tracks("test")[0]
    for name, targets in (("repet", ["vocals", "accompaniment"]), ("mixture", list(songs.stems))):
        model = untrained(name, songs)
        assert (model.targets, model.sample_rate, model.channels) == (targets, track.sample_rate, track.channels)
    with pytest.raises(ValueError, match="dataset 'folder' has no target vocals: it has"):
        evaluate("repet", songs)
