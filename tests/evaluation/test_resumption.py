"""Results are kept track by track in museval's form, and a second run goes on from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from msbench import evaluate, evaluate_estimates, records
from msbench.data.dataset import Dataset
from tests.evaluation.examples import Filter, scores_of, write_estimates
from tests.requirements import require
from tests.tiny import RATE


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


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b'{"msbench_key": "of another evaluation"}'])
def test_a_result_that_does_not_count_is_scored_anew(songs: Dataset, tmp_path: Path, content: bytes) -> None:
    first = evaluate(Filter(), songs, output=tmp_path, metrics=["snr"])
    kept = tmp_path / "test" / "song 0.json"
    kept.write_bytes(content)
    assert scores_of(evaluate(Filter(), songs, output=tmp_path, metrics=["snr"])) == scores_of(first)
    assert json.loads(kept.read_text())["targets"]
