"""The options of an evaluation: each keyword is a field, and others are refused."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from msbench import evaluate, evaluate_estimates
from msbench.data.dataset import Dataset
from msbench.evaluation.options import EstimatesOptions, EvaluationOptions, Execution, RowFacts, Scoring, from_options
from msbench.separation.inference import Inference
from tests.evaluation.examples import Filter


def names(*kinds: Any) -> set[str]:
    return {field.name for kind in kinds for field in fields(kind)}


def test_the_keywords_are_the_fields() -> None:
    assert EstimatesOptions.__annotations__.keys() == names(Scoring, Execution, RowFacts)
    assert EvaluationOptions.__annotations__.keys() == names(Scoring, Execution, RowFacts, Inference)


def test_a_value_takes_its_own_fields() -> None:
    options = {"backend": "museval", "jobs": 2, "device": "cuda", "label": "mine"}
    assert from_options(Scoring, options) == Scoring("museval", device="cuda")
    assert from_options(Execution, options) == Execution(jobs=2)
    assert from_options(RowFacts, options) == RowFacts("mine")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"chunk_second": 5.0}, r"unknown option 'chunk_second'\. Did you mean chunk_seconds.*Available: root, split"),
        ({"jobs": 0}, "jobs must be at least 1, not 0"),
        ({"backend": "slow"}, "unknown backend 'slow': choose fast or museval"),
        ({"overlap": 2}, "overlap is a share of a chunk between 0 and 0.95, not 2"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
    ],
)
def test_bad_options_are_said_before_anything_is_read(tmp_path: Path, options: Any, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        evaluate("mixture", "folder", root=tmp_path / "nowhere", **options)


def test_files_have_no_options_of_a_model(songs: Dataset) -> None:
    with pytest.raises(TypeError, match="unknown option 'overlap'"):
        evaluate_estimates(".", songs, overlap=0.1)  # type: ignore[call-arg]


def test_all_keywords_are_taken(songs: Dataset, tmp_path: Path) -> None:
    heard: list[str] = []
    record = evaluate(
        Filter(),
        songs,
        split="test",
        output=tmp_path,
        label="mine",
        seed=3,
        backend="fast",
        metrics=["snr"],
        excerpts=1,
        jobs=1,
        chunk_seconds=1.0,
        overlap=0.1,
        batch_size=2,
        device="cpu",
        progress=lambda done, count, track, medians: heard.append(f"{done} of {count}: {track} {sorted(medians)}"),
        run=lambda: {"restarts": 2, "gpu_hours": 0.5, "slurm_job_ids": ["7"]},
    )
    assert heard == ["1 of 2: song 0 ['band', 'voice']", "2 of 2: song 1 ['band', 'voice']"]
    assert record["model"]["label"] == "mine"
    assert record["seed"] == 3
    assert record["run"] == {"restarts": 2, "gpu_hours": 0.5, "slurm_job_ids": ["7"]}
    inference = {"chunk_seconds": 1.0, "overlap": 0.1, "batch_size": 2, "device": "cpu", "dtype": "float32"}
    assert record["inference"] == inference
    assert (tmp_path / "excerpts" / "test" / "song 0" / "mixture.mp3").is_file()
