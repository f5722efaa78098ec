"""Targets scored together once more: vocals against accompaniment as museval has them, and pooled windows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import msbench
from msbench import evaluate, evaluate_estimates
from msbench.cli.app import main
from msbench.data.dataset import Dataset
from msbench.data.opening import open_dataset
from msbench.metrics.bsseval.museval import museval_metrics
from msbench.model.separator import Separator
from msbench.records.further import ALL_WINDOWS
from msbench.system.files import write_json
from tests.evaluation.examples import write_estimates
from tests.requirements import require

RATE, SECONDS = 8000, 3
STEMS = ("vocals", "drums", "bass", "other")
PAIR = ("vocals", "accompaniment")
PAIR_ID = "bsseval-v4;win=1;hop=1;filters=512;agg=median-median;targets=accompaniment,vocals"
FOUR_ID = "bsseval-v4;win=1;hop=1;filters=512;agg=median-median;targets=bass,drums,other,vocals"


class Shares(Separator):
    """Parts of the mixture, not alike."""

    def __init__(self, targets: Any = STEMS) -> None:
        super().__init__(targets, RATE, 1)
        self.calls = 0

    def forward(self, mixture: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        smooth = torch.nn.functional.avg_pool1d(mixture, 3, 1, 1)
        parts = {"vocals": 0.6 * smooth, "drums": mixture - smooth, "bass": torch.tanh(smooth) / 4}
        return torch.stack([parts.get(target, mixture - 0.5 * smooth) for target in self.targets], 1)


def write(root: Path, tracks: Sequence[str]) -> Dataset:
    """Test tracks of MUSDB18-HQ's form."""
    rng = np.random.default_rng(1)
    for track in tracks:
        folder = root / "test" / track
        folder.mkdir(parents=True)
        stems = 0.1 * rng.standard_normal((4, RATE * SECONDS)).astype(np.float32)
        stems[:, RATE : RATE + 2000] *= 0.1
        for name, samples in zip(STEMS, stems, strict=True):
            soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="FLOAT")
        soundfile.write(folder / "mixture.wav", stems.sum(0), RATE, subtype="FLOAT")
    (root / "train").mkdir()
    return open_dataset("musdb18hq", root)


@pytest.fixture
def songs(tmp_path: Path) -> Dataset:
    return write(tmp_path / "songs", ["A - One"])


@pytest.fixture
def two_songs(tmp_path: Path) -> Dataset:
    return write(tmp_path / "songs", ["A - One", "B - Two"])


def windows_of(path: Path) -> dict[str, np.ndarray]:
    """{target: (windows, 4)} of museval's JSON."""
    return {
        target["name"]: np.array([[frame["metrics"][m] for m in msbench.records.METRICS] for frame in target["frames"]])
        for target in json.loads(path.read_text())["targets"]
    }


def test_five_estimates_score_as_museval_s_eval_mus_track(songs: Dataset, tmp_path: Path) -> None:
    require("ffmpeg")  # museval imports musdb, which wants it
    import museval

    folder, out = write_estimates(tmp_path / "estimates", songs, Shares()), tmp_path / "out"
    record = evaluate_estimates(folder, songs, scenario=PAIR, output=out, metrics=())
    assert [record["metric"]["id"], *(each["metric"]["id"] for each in record["further"])] == [FOUR_ID, PAIR_ID]
    for track in songs.tracks("test"):
        own = {stem: soundfile.read(folder / "test" / track.name / f"{stem}.wav", always_2d=True)[0] for stem in STEMS}
        own["accompaniment"] = own["drums"] + own["bass"] + own["other"]
        song = SimpleNamespace(
            targets={name: SimpleNamespace(audio=track.read(name).T.astype(float)) for name in own},
            rate=RATE,
            name=track.name,
            subset="test",
        )
        museval.eval_mus_track(song, own, output_dir=str(tmp_path / "theirs"))
        theirs = windows_of(tmp_path / "theirs" / "test" / f"{track.name}.json")
        four = windows_of(out / "test" / f"{track.name}.json")
        pair = windows_of(out / "accompaniment+vocals" / "test" / f"{track.name}.json")
        for target in (*STEMS, "accompaniment"):
            found = pair[target] if target in PAIR else four[target]
            np.testing.assert_allclose(found, theirs[target], atol=1e-6, rtol=0)
            scores = record["further"][0]["scores"] if target in PAIR else record["scores"]
            medians = [scores[track.name][target][metric] for metric in msbench.records.METRICS]
            np.testing.assert_allclose(medians, np.nanmedian(theirs[target], axis=0), atol=1e-6, rtol=0)
        assert np.abs(four["vocals"] - pair["vocals"])[:, 2].max() > 0.1  # SIR
    # the field's own tools read each folder by itself
    store = museval.EvalStore()
    store.add_eval_dir(str(out / "accompaniment+vocals"))
    assert set(store.df["target"]) == set(PAIR)


def test_a_model_is_separated_once(songs: Dataset) -> None:
    model = Shares()
    plain = evaluate(model, songs, metrics=())
    calls, model.calls = model.calls, 0
    record = evaluate(model, songs, metrics=(), scenario=PAIR)
    assert model.calls == calls
    assert record["scores"] == plain["scores"]


def test_models_of_other_targets_have_the_same_id(songs: Dataset) -> None:
    pair = evaluate(Shares(PAIR), songs, metrics=(), scenario=PAIR)
    assert pair["metric"]["id"] == PAIR_ID
    assert "further" not in pair
    voice = evaluate(Shares(["vocals"]), songs, metrics=(), scenario=PAIR)  # the rest is its accompaniment
    (further,) = voice["further"]
    assert further["metric"]["id"] == PAIR_ID
    for track, targets in further["scores"].items():
        assert targets["vocals"] == voice["scores"][track]["vocals"]
        assert targets["accompaniment"] == voice["scores"][track]["rest"]


def test_an_estimate_of_the_sum_counts_where_there_is_one(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Shares())
    summed = evaluate_estimates(folder, songs, metrics=(), scenario=PAIR, output=tmp_path / "out")
    for track in songs.tracks("test"):
        samples = 0.5 * track.read("accompaniment").T
        soundfile.write(folder / "test" / track.name / "accompaniment.wav", samples, RATE, subtype="FLOAT")
    given = evaluate_estimates(folder, songs, metrics=(), scenario=PAIR, output=tmp_path / "out")
    assert given["scores"] == summed["scores"]
    for targets in given["further"][0]["scores"].values():
        assert targets["accompaniment"]["SIR"] > 60
        assert targets["accompaniment"]["ISR"] == pytest.approx(6.02, abs=0.01)


def test_only_what_is_lacking_is_scored(two_songs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from msbench.evaluation import track as track_module

    counted: list[tuple[int, ...]] = []
    bss_eval = track_module.bss_eval

    def counting(references: Any, *rest: Any, **options: Any) -> Any:
        counted.append(references.shape)
        return bss_eval(references, *rest, **options)

    monkeypatch.setattr(track_module, "bss_eval", counting)
    out = tmp_path / "out"
    evaluate(Shares(), two_songs, metrics=(), output=out)
    counted.clear()
    whole = evaluate(Shares(), two_songs, metrics=(), output=out, scenario=PAIR)
    assert [shape[0] for shape in counted] == [2, 2]
    (out / "accompaniment+vocals" / "test" / "A - One.json").unlink()
    (out / "test" / "B - Two.json").unlink()
    counted.clear()
    again = evaluate(Shares(), two_songs, metrics=(), output=out, scenario=PAIR)
    assert [shape[0] for shape in counted] == [2, 4]
    assert again["scores"] == whole["scores"]
    assert again["further"] == whole["further"]


def test_pooled_windows_are_the_median_over_all_windows(two_songs: Dataset, tmp_path: Path) -> None:
    record = evaluate(Shares(), two_songs, metrics=(), pooled=True)
    assert [entry["metric"]["id"] for entry in record["further"]] == [FOUR_ID.replace("median-median", "median-pooled")]
    estimates = write_estimates(tmp_path / "estimates", two_songs, Shares())
    direct = []  # each track by museval's own code, unrounded
    for track in two_songs.tracks("test"):
        own = [soundfile.read(estimates / "test" / track.name / f"{stem}.wav", always_2d=True)[0] for stem in STEMS]
        references = [track.read(stem).T.astype(float) for stem in STEMS]
        direct.append(museval_metrics().bss_eval(np.stack(references), np.stack(own), RATE, RATE)[:4])
    pooled = np.nanmedian(np.concatenate(direct, axis=-1), axis=-1)  # (4, S)
    for s, stem in enumerate(STEMS):
        found = [record["further"][0]["scores"][ALL_WINDOWS][stem][metric] for metric in msbench.records.METRICS]
        np.testing.assert_allclose(found, pooled[:, s], atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("targets", "scenario", "sentence"),
    [
        (STEMS, "vocals", "a scenario has two targets or more, each once, not vocals"),
        (STEMS, "vocals,choir", "dataset 'musdb18hq' has no target choir: it has vocals, drums"),
        (STEMS, "drums,accompaniment", "the targets drums, accompaniment of the scenario overlap"),
        (("vocals", "bass"), "vocals,drums", "the scenario vocals,drums needs estimates of drums, and there are only"),
    ],
)
def test_scenarios_that_cannot_be(
    songs: Dataset, tmp_path: Path, targets: Any, scenario: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Shares(targets))
    command = ["evaluate", "--estimates", str(folder), "--data", "musdb18hq", "--root", str(songs.root)]
    assert main([*command, "-o", str(tmp_path / "out"), "--scenario", scenario]) == 2
    assert sentence in capsys.readouterr().err


def test_the_command_and_a_board_of_its_records(
    two_songs: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_estimates(tmp_path / "estimates", two_songs, Shares())
    command = ["evaluate", "--estimates", str(folder), "--data", "musdb18hq", "--root", str(two_songs.root)]
    options = ["--scenario", "vocals,accompaniment", "--pooled", "--metrics", "gnsdr", "--label", "one"]
    assert main([*command, *options, "-o", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    board = tmp_path / "board"
    (board / "records").mkdir(parents=True)
    for name in ("one", "two"):
        made = {**record, "model": {**record["model"], "label": name}}
        write_json(board / "records" / f"{name}.json", made)
    assert main(["board", "build", str(board)]) == 0
    assert main(["board", "check", str(board)]) == 0
    rankings = msbench.Board(board).rankings()
    pooled = [each.replace("median-median", "median-pooled") for each in (PAIR_ID, FOUR_ID)]
    assert [ranking.metric for ranking in rankings] == [PAIR_ID, FOUR_ID, *pooled]
    assert all({row.model for row in ranking.rows} == {"one", "two"} for ranking in rankings)
    assert [bool(ranking.comparison("vocals")) for ranking in rankings] == [True, True, False, False]
    text = (board / "board.md").read_text()
    assert all(f"metric `{ranking.metric}`" in text for ranking in rankings)
    assert "agg=median-pooled: the median over the windows of all tracks at once" in text
    cards = [page.read_text() for page in (board / "site").glob("model-*.html")]
    assert sum("--scenario accompaniment,vocals" in page for page in cards) == 4
