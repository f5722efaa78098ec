"""The scores of a track, and the reason where one is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from msbench import evaluate, evaluate_estimates, records
from msbench.data.dataset import Dataset
from msbench.data.opening import open_dataset
from msbench.data.track import Track
from msbench.metrics import catalogue
from msbench.metrics.bsseval.museval import museval_metrics
from tests.evaluation.examples import Filter, not_a_number, path_of, rewrite, write_estimates
from tests.requirements import peer
from tests.tiny import RATE

TARGETS = ["band", "voice"]


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


def test_each_number_stands_under_its_metric_id(songs: Dataset) -> None:
    peer("pystoi")
    record = evaluate(Filter(), songs, metrics=["si-sdr", "si-sir", "stoi"])
    ids = ["si-sdr;channels=joint", "si-sir;channels=joint;targets=band,voice", "stoi;win=10;agg=median;channels=mean"]
    assert record["metric"]["beside"] == ids
    assert set(record["scores"]["song 0"]["voice"]) >= {*records.METRICS, *ids[:2]}
    assert ids[2] not in record["scores"]["song 0"]["band"]  # no voice
    assert not set(ids) & set(evaluate(Filter(), songs, metrics=())["scores"]["song 0"]["voice"])


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


def test_no_more_than_seconds_of_a_track_are_read_at_once(songs: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    peer("pystoi")
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
