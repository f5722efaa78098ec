"""Evaluation: a model, its files, processes and resumption give one and the same record; bad input is said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from msbench import evaluate, evaluate_estimates, records
from msbench.cli.app import main
from msbench.data.dataset import Dataset
from msbench.data.opening import open_dataset
from msbench.data.track import Track
from msbench.evaluation.jobs import score_tracks
from msbench.evaluation.options import Scoring
from msbench.evaluation.signals import Signals, Spool
from msbench.leaderboard.board import Board
from msbench.leaderboard.render import markdown
from msbench.metrics import catalogue
from msbench.metrics.bsseval.museval import museval_metrics
from msbench.model.separator import Separator
from msbench.separation.pipeline import separate_file
from msbench.system.files import write_json
from msbench.system.threads import processors
from tests.requirements import require
from tests.tiny import RATE, write_model, write_songs

TARGETS = ["band", "voice"]


@pytest.fixture
def songs(tmp_path: Path) -> Dataset:
    return open_dataset("folder", write_songs(tmp_path / "songs"))


class Filter(Separator):
    """Not linear, and not quite right."""

    def __init__(self, targets: Any = ("voice", "band"), sample_rate: int = RATE, channels: int = 1) -> None:
        super().__init__(targets, sample_rate, channels)

    def forward(self, mixture: torch.Tensor) -> torch.Tensor:
        voice = torch.tanh(3 * torch.nn.functional.avg_pool1d(mixture, 3, 1, 1)) / 4
        return torch.stack([voice, mixture - voice, mixture][: len(self.targets)], 1)


def write_estimates(folder: Path, data: Dataset, model: Separator, extension: str = "wav", split: str = "test") -> Path:
    """The files that a model separates, in museval's layout."""
    for track in data.tracks(split):
        mixture = folder / f"{track.name}.wav"
        mixture.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(mixture, track.read("mixture").T, track.sample_rate, subtype="FLOAT")
        separate_file(model, mixture, folder / split, extension=extension)
        mixture.unlink()
    return folder


def path_of(data: Dataset, track: str, target: str) -> Path:
    return data.root / "test" / track / f"{target}.wav"


def scores_of(record: dict[str, Any]) -> Any:
    return [record[part] for part in ("scores", "metric", "dataset")]


# ----------------------------------------------------------------------------------------------------- one and the same


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


def test_the_layout_without_a_split_and_flac_are_read_too(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter(), "flac")
    record = evaluate_estimates(folder / "test", songs)
    expected = evaluate(Filter(), songs)
    for track, targets in expected["scores"].items():
        for target, scores in targets.items():
            for metric, value in scores.items():
                assert record["scores"][track][target][metric] == pytest.approx(value, abs=1e-2), metric


def test_some_targets_of_a_folder_are_scored_beside_the_rest(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter(targets=["voice"]))
    record = evaluate_estimates(folder, songs)
    assert scores_of(record) == scores_of(evaluate(Filter(targets=["voice"]), songs))
    assert set(record["scores"]["song 0"]) == {"voice", "rest"}


def test_processes_change_nothing(songs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is a plugin in a single file, which other processes cannot import by name."""
    from msbench.model.checkpoints import create

    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    torch.manual_seed(0)
    model = create("tiny", {"targets": TARGETS})
    here = evaluate(model, songs)
    heard: list[tuple[int, str]] = []
    there = evaluate(model, songs, jobs=2, progress=lambda done, _count, track, _medians: heard.append((done, track)))
    assert scores_of(there) == scores_of(here)
    assert [done for done, _ in heard] == [1, 2]
    assert {track for _, track in heard} == {"song 0", "song 1"}


class Fate:
    """A source that tells of the process it is in, or ends it."""

    targets = TARGETS

    def __init__(self, dies: bool) -> None:
        self.dies = dies

    def estimates(self, track: Track) -> Any:
        if self.dies:
            os._exit(1)
        raise ValueError(f"{torch.get_num_threads()} threads")


def test_processes_share_the_processors(songs: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with pytest.raises(ValueError, match=f"{max(1, processors() // 2)} threads"):
        list(score_tracks(Fate(dies=False), songs.tracks("test"), Scoring(), jobs=2))  # type: ignore[arg-type]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_process_that_dies_is_said(songs: Dataset) -> None:
    with pytest.raises(RuntimeError, match=r"a process that scored a track died.*fewer jobs"):
        list(score_tracks(Fate(dies=True), songs.tracks("test"), Scoring(), jobs=2))  # type: ignore[arg-type]


def test_a_second_run_scores_what_is_missing_or_has_changed(songs: Dataset, tmp_path: Path) -> None:
    folder, output = write_estimates(tmp_path / "estimates", songs, Filter()), tmp_path / "out"
    first = evaluate_estimates(folder, songs, output=output)
    written = {path: path.stat().st_mtime_ns for path in (output / "test").iterdir()}
    assert [path.name for path in sorted(written)] == ["song 0.json", "song 1.json"]

    def anew() -> list[str]:
        return sorted(path.stem for path, before in written.items() if path.stat().st_mtime_ns != before)

    assert scores_of(evaluate_estimates(folder, songs, output=output)) == scores_of(first)
    assert anew() == []
    estimate = folder / "test" / "song 1" / "voice.wav"
    samples, _ = soundfile.read(estimate)
    samples[9000] += 0.1
    soundfile.write(estimate, samples, RATE, subtype="FLOAT")
    assert evaluate_estimates(folder, songs, output=output)["scores"]["song 1"] != first["scores"]["song 1"]
    assert anew() == ["song 1"]
    evaluate_estimates(folder, songs, output=output, metrics=["snr"])
    assert anew() == ["song 0", "song 1"]


def test_an_interrupted_run_keeps_the_tracks_it_has_scored(songs: Dataset, tmp_path: Path) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(Filter(), songs, output=tmp_path / "out", progress=interrupt)
    kept = tmp_path / "out" / "test" / "song 0.json"
    before = kept.stat().st_mtime_ns
    assert scores_of(evaluate(Filter(), songs, output=tmp_path / "out")) == scores_of(evaluate(Filter(), songs))
    assert kept.stat().st_mtime_ns == before


def test_museval_reads_the_files_of_a_folder(songs: Dataset, tmp_path: Path) -> None:
    require("ffmpeg")  # museval imports musdb, which wants it
    import museval

    record = evaluate_estimates(
        write_estimates(tmp_path / "estimates", songs, Filter()), songs, output=tmp_path / "out"
    )
    store = museval.TrackStore("song 0")
    store.scores = json.loads((tmp_path / "out" / "test" / "song 0.json").read_text())
    store.validate()
    assert "voice" in repr(store)
    evaluated = museval.EvalStore()
    evaluated.add_eval_dir(str(tmp_path / "out"))
    methods = museval.MethodStore()
    methods.add_evalstore(evaluated, name="filter")
    means = methods.df.groupby(["track", "target", "metric"])["score"].median()
    for track, targets in record["scores"].items():
        for target, scores in targets.items():
            for metric in records.METRICS:
                assert means[track, target, metric] == pytest.approx(scores[metric], abs=1e-9)


def test_museval_itself_gives_these_scores(songs: Dataset) -> None:
    track, record = songs.tracks("test")[0], evaluate(Filter(), songs)
    references, mixture = (track.read(name) for name in ("voice", "band")), torch.from_numpy(track.read("mixture"))
    estimates = Filter()(mixture[None])[0].numpy()
    sdr, isr, sir, sar, _ = museval_metrics().bss_eval(
        np.stack(list(references)).transpose(0, 2, 1), estimates.transpose(0, 2, 1), RATE, RATE
    )
    for name, values in {"SDR": sdr, "ISR": isr, "SIR": sir, "SAR": sar}.items():
        assert record["scores"]["song 0"]["voice"][name] == pytest.approx(np.nanmedian(values[0]), abs=2e-5)
    mean = record["scores"]["song 0"]["voice"]["mean-sdr;win=1;hop=1;filters=512;agg=mean-mean;targets=band,voice"]
    assert mean == pytest.approx(np.nanmean(sdr[0]), abs=2e-5)
    assert mean != record["scores"]["song 0"]["voice"]["SDR"]


# ----------------------------------------------------------------------------------------------------------- the record


def test_each_number_stands_under_its_metric_id(songs: Dataset) -> None:
    record = evaluate(Filter(), songs, metrics=["si-sdr", "si-sir", "stoi"])
    ids = ["si-sdr;channels=joint", "si-sir;channels=joint;targets=band,voice", "stoi;win=10;agg=median;channels=mean"]
    assert record["metric"]["beside"] == ids
    assert set(record["scores"]["song 0"]["voice"]) >= {*records.METRICS, *ids[:2]}
    assert ids[2] not in record["scores"]["song 0"]["band"]  # no voice
    assert not set(ids) & set(evaluate(Filter(), songs, metrics=())["scores"]["song 0"]["voice"])


def test_a_board_ranks_files_beside_models(songs: Dataset, tmp_path: Path) -> None:
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


def test_a_null_beside_bsseval_needs_its_reason(songs: Dataset) -> None:
    record = evaluate(Filter(), songs)
    record["scores"]["song 0"]["voice"]["snr;channels=joint"] = None
    with pytest.raises(ValueError, match="song 0 / voice / snr;channels=joint is null without a reason"):
        records.validate(record, "here")
    record["scores"]["song 0"]["voice"]["snr;channels=joint"] = float("nan")
    with pytest.raises(ValueError, match="snr;channels=joint is nan, not a finite number"):
        records.validate(record, "here")


@pytest.mark.parametrize("backend", ["fast", "museval"])
def test_a_silent_reference_is_null_with_its_reason(songs: Dataset, backend: str) -> None:
    soundfile.write(path_of(songs, "song 1", "voice"), np.zeros(2 * RATE), RATE, subtype="FLOAT")
    scores = evaluate(Filter(), songs, backend=backend)["scores"]
    assert scores["song 0"]["voice"]["SDR"] is not None
    for target in TARGETS:
        assert [scores["song 1"][target][metric] for metric in records.METRICS] == [None] * 4
        assert "the reference of voice is silent from end to end" in scores["song 1"][target]["reason"]
    assert all(value is None for metric, value in scores["song 1"]["voice"].items() if metric != "reason")
    assert scores["song 1"]["band"]["snr;channels=joint"] is not None


def test_a_silent_estimate_is_null_with_its_reason(songs: Dataset, tmp_path: Path) -> None:
    folder = write_estimates(tmp_path / "estimates", songs, Filter())
    soundfile.write(folder / "test" / "song 1" / "voice.wav", np.zeros(2 * RATE), RATE)
    scores = evaluate_estimates(folder, songs)["scores"]["song 1"]
    assert scores["band"]["SDR"] is None
    assert "the estimate of voice is silent from end to end" in scores["band"]["reason"]
    assert scores["voice"]["si-sdr;channels=joint"] is None
    assert scores["voice"]["snr;channels=joint"] == pytest.approx(0)


def test_a_perfect_estimate_is_null_with_its_reason(songs: Dataset) -> None:
    scores = evaluate_estimates(songs.root, songs)["scores"]["song 0"]["voice"]
    assert scores["SDR"] is None
    assert "SDR: infinite, because what it divides by is zero" in scores["reason"]
    assert "si-sdr: infinite" in scores["reason"]
    assert scores["track-sdr;delta=1e-07"] > 80


def test_no_window_in_which_all_sound(songs: Dataset) -> None:
    for target, part in (("voice", slice(0, RATE)), ("band", slice(RATE, None))):
        path = path_of(songs, "song 0", target)
        samples, _ = soundfile.read(path)
        samples[part] = 0
        soundfile.write(path, samples, RATE, subtype="FLOAT")
    scores = evaluate(Filter(), songs)["scores"]["song 0"]["voice"]
    assert scores["SDR"] is None
    assert "no window in which every reference and estimate sounds" in scores["reason"]
    assert scores["si-sdr;channels=joint"] is not None


# ------------------------------------------------------------------------------------------------------------ bad input


def rewrite(path: Path, samples: np.ndarray | None = None, rate: int = RATE) -> None:
    soundfile.write(path, soundfile.read(path)[0] if samples is None else samples, rate, subtype="FLOAT")


def a_shorter_file(estimate: Path) -> None:
    rewrite(estimate, np.ones(2 * RATE - 1))


def another_rate(estimate: Path) -> None:
    rewrite(estimate, rate=2 * RATE)


def stereo(estimate: Path) -> None:
    rewrite(estimate, np.ones((2 * RATE, 2)))


def not_a_number(estimate: Path) -> None:
    samples, _ = soundfile.read(estimate)
    samples[RATE] = np.nan
    rewrite(estimate, samples)


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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "evaluate needs a model or --estimates DIR, one of the two"),
        (["mixture", "--estimates", "."], "one of the two"),
        (["mixture", "--targets", "voice"], "--targets chooses among files"),
        (["--estimates", "nowhere"], "no folder of estimates nowhere"),
        (["mixture", "--metrics", "si-sdrr"], "unknown metric 'si-sdrr'. Did you mean si-sdr"),
        (["mixture", "--jobs", "0"], "jobs must be at least 1, not 0"),
        (["--estimates", "SONGS", "--targets", "drums"], "dataset 'folder' has no target drums: it has"),
    ],
)
def test_bad_commands(
    songs: Dataset, arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(songs.root) if argument == "SONGS" else argument for argument in arguments]
    common = ["--data", "folder", "--root", str(songs.root), "-o", str(tmp_path / "out")]
    assert main(["evaluate", *arguments, *common]) == 2
    assert sentence in capsys.readouterr().err


def test_a_model_that_gives_nan_is_named_with_its_track(songs: Dataset) -> None:
    class Broken(Filter):
        def forward(self, mixture: torch.Tensor) -> torch.Tensor:
            return super().forward(mixture) * torch.nan

    with pytest.raises(ValueError, match="track 'song 0': Broken gave NaN or infinite samples"):
        evaluate(Broken(), songs)


def test_a_reference_that_is_no_number_is_named(songs: Dataset) -> None:
    not_a_number(path_of(songs, "song 0", "band"))
    with pytest.raises(ValueError, match=r"track 'song 0': .* NaN or inf.*1\.000 s"):
        evaluate(Filter(), songs)


def test_a_dataset_without_the_models_target(songs: Dataset) -> None:
    with pytest.raises(ValueError, match="dataset 'folder' has no target drums: it has"):
        evaluate(Filter(targets=["drums"]), songs)


# --------------------------------------------------------------------------------------------------------------- memory


def test_a_spool_gives_back_what_was_written() -> None:
    signal = np.random.default_rng(0).standard_normal((3, 2, 1000)).astype(np.float32)
    with Spool(3, 2) as spool:
        for start, stop in ((0, 1), (1, 700), (700, 1000)):
            spool.write(signal[..., start:stop])
        assert spool.samples == 1000
        for start, stop in ((0, 1000), (699, 701), (10, 10), (999, 1000)):
            np.testing.assert_array_equal(spool.read(start, stop), signal[..., start:stop])


def test_a_full_disk_names_the_folder(tmp_path: Path) -> None:
    program = """
import resource, signal, numpy as np
from msbench.evaluation.signals import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Spool(1, 1).write(np.zeros((1, 1, 10000)))
except OSError as error:
    print(error)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot keep estimates in {tmp_path} (File too large): set TMPDIR")


def test_the_rest_is_what_the_sources_leave() -> None:
    sources = np.random.default_rng(0).standard_normal((2, 1, 100)).astype(np.float32)
    mixture = np.ones((1, 1, 100), np.float32)
    signals = Signals((2, 1, 100), lambda a, b: sources[..., a:b], ["one", "two"], 10, lambda a, b: mixture[..., a:b])
    assert signals.shape == (3, 1, 100)
    np.testing.assert_allclose(signals[..., 20:40].sum(axis=0), 1, atol=1e-6)


def test_no_more_than_seconds_of_a_track_are_read_at_once(songs: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for track in ("song 0", "song 1"):
        for target in TARGETS:
            rewrite(path_of(songs, track, target), np.random.default_rng(0).standard_normal(60 * RATE))
    songs = open_dataset("folder", songs.root)
    read, longest = Track.read, []

    def spy(self: Track, target: str, start: int = 0, frames: int | None = None) -> np.ndarray:
        block = read(self, target, start, frames)
        longest.append(block.shape[-1])
        return block

    monkeypatch.setattr(Track, "read", spy)
    evaluate(Filter(), songs, metrics=[*catalogue.DEFAULT, "l1-spectrogram", "stoi"])
    assert max(longest) <= 10 * RATE
