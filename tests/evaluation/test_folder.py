"""What an evaluation is called and where it is kept, when nobody says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import msbench
from msbench import records
from msbench.evaluation.folder import default_label, evaluate_into_folder
from tests.tiny import write_songs


def test_labels_are_those_of_runs_models_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_label("mixture") == "mixture"
    assert default_label("runs/unet-small/best.ckpt") == "unet-small"
    (tmp_path / "estimates").mkdir()
    assert default_label(tmp_path / "estimates") == "estimates"
    monkeypatch.chdir(tmp_path)
    assert default_label("best.ckpt") == tmp_path.name  # a run's folder is where one stands
    assert default_label(Path()) == tmp_path.name


def test_the_record_lies_with_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    songs = write_songs(tmp_path / "songs", seconds=1.1)
    monkeypatch.chdir(tmp_path)
    path = evaluate_into_folder(msbench.evaluate, "mixture", "folder", root=songs, metrics=())
    assert path == Path("evaluations/mixture-folder/record.json")
    assert records.read(path)["model"]["label"] == "mixture"
    assert len(list(path.parent.glob("test/*.json"))) == 2


def test_a_failure_leaves_no_record(tmp_path: Path) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        evaluate_into_folder(fail, "mixture", "folder", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_passes_are_a_label_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def score(*_: Any, **options: Any) -> Any:
        given.update(options)
        raise ValueError("enough")

    monkeypatch.chdir(tmp_path)
    for options, label in (
        ({"shifts": 5, "tta": ["swap", "polarity"], "overlap": 0.5}, "mixture-shifts5-tta_polarity_swap"),
        ({"shifts": 0, "tta": ()}, "mixture"),
        ({"shifts": 5, "label": "mine"}, "mine"),
    ):
        with pytest.raises(ValueError, match="enough"):
            evaluate_into_folder(score, "mixture", "folder", **options)
        assert given["label"] == label
