"""Learning curves: read from any log, thinned, and kept where runs are gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from msbench.leaderboard.curves import MOST_POINTS, Curve, curve_of, read_curves, update_curves
from tests.leaderboard.studies import write_curve


def test_a_curve_is_the_validation_loss_by_step(tmp_path: Path) -> None:
    write_curve(tmp_path, [3.0, 2.0, 1.23456789])
    assert curve_of(tmp_path) == Curve("val_loss", [9, 19, 29], [3.0, 2.0, 1.2346])


def test_a_run_that_validated_songs_has_the_curve_of_their_sdr(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "version_0" / "metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text("epoch,step,val_loss,val_track_sdr\n0,9,3.0,\n1,19,2.0,4.5\n2,29,1.0,\n3,39,1.0,5.0\n")
    curve = curve_of(tmp_path)
    assert curve == Curve("val_track_sdr", [19, 39], [4.5, 5.0])
    update_curves(tmp_path, {"a": tmp_path})
    assert read_curves(tmp_path) == {"a": curve}


def test_a_restart_goes_on_with_the_curve(tmp_path: Path) -> None:
    for version, lines in ((2, "1,19,8.0\n2,29,1.0\n"), (10, "3,39,0.5\n"), (0, "0,9,3.0\n1,19,2.0\n")):
        log = tmp_path / "logs" / f"version_{version}" / "metrics.csv"
        log.parent.mkdir(parents=True)
        log.write_text(f"epoch,step,val_loss\n{lines}")
    assert curve_of(tmp_path) == Curve("val_loss", [9, 19, 29, 39], [3.0, 8.0, 1.0, 0.5])


def test_long_curves_are_thinned_and_keep_their_ends(tmp_path: Path) -> None:
    write_curve(tmp_path, [float(i) for i in range(10_001)])
    curve = curve_of(tmp_path)
    assert curve is not None
    assert len(curve.steps) == MOST_POINTS
    assert (curve.values[0], curve.values[-1], curve.steps[-1]) == (0.0, 10_000.0, 100_009)


@pytest.mark.parametrize(
    "text", ["", "step\n1\n", "epoch,step,val_loss\n0,x,1\n0,1,nan\n0,-1,1\n0\n", "\x00\n", "a\nb"]
)
def test_a_damaged_log_has_no_curve(tmp_path: Path, text: str) -> None:
    log = tmp_path / "logs" / "version_0" / "metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text(text)
    assert curve_of(tmp_path) is None


def test_curves_outlive_their_runs(tmp_path: Path) -> None:
    runs = {name: tmp_path / "runs" / name for name in ("a", "b", "c")}
    assert update_curves(tmp_path, runs) is None
    write_curve(runs["a"], [2.0, 1.0])
    write_curve(runs["b"], [4.0])
    path = update_curves(tmp_path, runs)
    assert path is not None
    before = path.read_bytes()
    (runs["a"] / "logs" / "version_0" / "metrics.csv").unlink()
    assert update_curves(tmp_path, runs) == path
    assert path.read_bytes() == before
    update_curves(tmp_path, {"a": runs["a"]})
    assert read_curves(tmp_path) == {"a": Curve("val_loss", [9, 19], [2.0, 1.0])}


@pytest.mark.parametrize(
    "content", [{"a": 1}, {"a": {"score": "x", "steps": [], "values": []}}, {"a": {"score": "val_loss", "steps": [1]}}]
)
def test_a_damaged_file_is_said(tmp_path: Path, content: object) -> None:
    (tmp_path / "curves.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"curves\.json: 'a' has no steps and values of one length: delete the file"):
        read_curves(tmp_path)
