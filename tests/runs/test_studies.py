"""Studies: which rows belong together, what tells them apart, and which one they are compared with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msbench.runs.studies import Study
from tests.runs.test_sweeps import suite_of

DEPTH = "{recipe: tiny.yaml, sweep: {separator.depth: [3, 4], separator.skip: [true, false]}, baseline: BASELINE}"


def test_a_study_of_a_sweep_and_of_an_entry_that_joins_it(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        "{recipe: tiny.yaml, study: depth, sweep: {separator.depth: [3, 4]}, label: 'd{separator.depth}', "
        "baseline: {separator.depth: 4}}",
        "mixture",
        "{recipe: other.yaml, study: depth, set: {separator.depth: 9, trainer.max_epochs: 1}}",
        "{model: oracle_irm, sweep: {separator.alpha: [1, 2]}}",
    )
    depth = {"d3": {"separator.depth": 3}, "d4": {"separator.depth": 4}, "other": {"separator.depth": 9}}
    alpha = {"oracle_irm-alpha1": {"separator.alpha": 1}, "oracle_irm-alpha2": {"separator.alpha": 2}}
    assert suite.studies == (Study("depth", depth, "d4"), Study("oracle_irm", alpha, "oracle_irm-alpha1"))
    assert suite.studies[0].factors == ("separator.depth",)
    assert [cell.study for cell in suite.cells] == ["depth", "depth", None, "depth", "oracle_irm", "oracle_irm"]
    assert suite.cells[3].factors == {"separator.depth": 9}
    assert suite.cells[2].factors == {}


def test_a_study_by_hand_has_the_settings_that_differ_for_factors(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        "{recipe: tiny.yaml, study: s, set: {a.x: 1, a.y: [1, 2]}}",
        "{recipe: tiny.yaml, study: s, label: b, set: {a.x: 1, a.z: true}, baseline: b}",
    )
    assert suite.studies == (Study("s", {"tiny": {"a.y": "1_2"}, "b": {"a.z": True}}, "b"),)


@pytest.mark.parametrize(
    ("baseline", "label"),
    [
        ("tiny-depth4-skip_true", "tiny-depth4-skip_true"),
        ("{separator.depth: 4, separator.skip: false}", "tiny-depth4-skip_false"),
        ("null", "tiny-depth3-skip_true"),
    ],
)
def test_the_baseline(tmp_path: Path, baseline: str, label: str) -> None:
    assert suite_of(tmp_path, DEPTH.replace("BASELINE", baseline)).studies[0].baseline == label


@pytest.mark.parametrize("value", ["some", "[0.7, 1.3]"])
def test_the_baseline_of_values_with_names(tmp_path: Path, value: str) -> None:
    entry = "{recipe: tiny.yaml, sweep: {a.x: {none: null, some: [0.7, 1.3]}}, baseline: {a.x: VALUE}}"
    assert suite_of(tmp_path, entry.replace("VALUE", value)).studies[0].baseline == "tiny-x_some"


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        ("tiny-depth5", "has no cell 'tiny-depth5'. Did you mean tiny-depth"),
        ("zzz", "has no cell 'zzz'. Its cells are ['tiny-depth3-skip_true', "),
        ("{separator.depth: 5}", "fits 0 cells of the study 'tiny': its cells are"),
        ("{separator.depth: 4}", "fits 2 cells of the study 'tiny': add separator.skip"),
        ("{separator.depth: 4, separator.skip: 0}", "fits 0 cells"),
        ("{separator.deph: 4}", "separator.deph is no factor. Did you mean separator.depth"),
    ],
)
def test_baselines_that_cannot_be(tmp_path: Path, baseline: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape("field 'models[0].baseline'") + ".*" + re.escape(said)):
        suite_of(tmp_path, DEPTH.replace("BASELINE", baseline))


def test_a_study_has_one_baseline_and_several_cells(tmp_path: Path) -> None:
    entry = DEPTH.replace("BASELINE", "tiny-depth4-skip_true")
    with pytest.raises(ValueError, match=r"'models\[1\].baseline': the study 'tiny' has one in models\[0\] already"):
        suite_of(tmp_path, entry, "{recipe: other.yaml, study: tiny, baseline: other}")
    with pytest.raises(ValueError, match=r"'models\[1\]': the study 's' has one cell alone"):
        suite_of(tmp_path, "mixture", "{recipe: tiny.yaml, study: s}")
