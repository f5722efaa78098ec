"""Settings that no cell has are told before anything runs, and no setting is looked up twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.cluster import settings
from msbench.cluster.settings import check_settings
from msbench.runs.suite import Cell, Suite, read_suite
from msbench.training.flags import Flags
from tests.tiny import write_model

RECIPE = "name: tiny\ntrainer: {max_epochs: 2}\n"


@pytest.fixture(autouse=True)
def _tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    (tmp_path / "bad.yaml").write_text(RECIPE + "dta: {workers: 1}\n")


def suite_of(folder: Path, *entries: str) -> Suite:
    models = "".join(f"\n  - {entry}" for entry in entries)
    (folder / "suite.yaml").write_text(f"datasets: [demo, folder]\nseeds: [0, 1]\nmodels:{models}\n")
    return read_suite(folder)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "{recipe: tiny.yaml, set: {data.chunk_second: 3}}",
            "cell tiny: unknown field 'data.chunk_second'. Did you mean data.chunk_seconds",
        ),
        (
            "{recipe: tiny.yaml, sweep: {separator.explod: [true, false]}}",
            "cell tiny-explod_true: unknown field 'separator.explod'. Did you mean separator.explode",
        ),
        (
            "{recipe: tiny.yaml, sweep: {data.batch_size: [2, 4, many]}}",
            "cell tiny-batch_size_many: field data.batch_size must be a whole number, not many",
        ),
        ("{recipe: tiny.yaml, sweep: {augmentation: {a: {}, b: {data.gian: [1, 2]}}}}", "unknown field 'data.gian'"),
        ("{recipe: tiny.yaml, sweep: {depth: [1, 2]}}", "cell tiny-depth1: unknown field 'depth'"),
        (
            "{recipe: bad.yaml, set: {data.batch_size: 2}}",
            "cell bad: its recipe: unknown field 'dta.workers'. Did you mean data.workers",
        ),
        (
            "{model: oracle_irm, set: {separator.alhpa: 2}}",
            "cell oracle_irm: unknown field 'separator.alhpa'. Did you mean alpha?",
        ),
        ("{model: repet, sweep: {trainer.max_epochs: [1, 2]}}", "trainer.max_epochs cannot be set: nothing is trained"),
        (
            "{model: tiny, checkpoint: tiny.yaml, set: {separator.explode: true}}",
            "its checkpoint holds the model as it",
        ),
    ],
)
def test_what_no_cell_has(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check_settings(suite_of(tmp_path, "mixture", entry).cells)


def test_each_value_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suite_of(
        tmp_path,
        "{recipe: tiny.yaml, sweep: {data.batch_size: [2, 3, 4], separator.explode: [false, true]}}",
        "{recipe: tiny.yaml, label: more, set: {data.batch_size: 3}}",
        "{model: oracle_irm, sweep: {separator.alpha: [1, 2.0, null]}}",
        "unet_small",
    )
    looked: list[Cell] = []
    monkeypatch.setattr(settings, "_check_trained", looked.extend)
    check_settings(suite.cells)
    assert [cell.overrides for cell in looked] == [
        {"data.batch_size": 2, "separator.explode": False},
        {"data.batch_size": 2, "separator.explode": True},
        {"data.batch_size": 3, "separator.explode": False},
        {"data.batch_size": 4, "separator.explode": False},
    ]
    monkeypatch.setattr(settings, "MOST_VALUES", 1)
    looked.clear()
    check_settings(suite.cells)
    assert len(looked) == 1


def test_a_parser_is_made_once_per_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = Flags()
    for given in (["--data.batch_size", "3"], ["--data.batch_size", "4"], ["--early_stopping", "null"]):
        flags.check(["-c", str(tmp_path / "tiny.yaml"), *given])
    assert len(flags._made) == 2
    with pytest.raises(ValueError, match=r"unknown field 'data.batchsize'"):
        flags.check(["-c", str(tmp_path / "tiny.yaml"), "--data.batchsize", "4"])


@pytest.mark.parametrize("command", [["bench"], ["plan"], ["submit", "--dry-run", "--cluster", "profile.yaml"]])
def test_commands_look_before_they_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    suite_of(tmp_path, "{model: oracle_irm, sweep: {separator.beta: [1, 2]}}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("msbench.cluster.slurm.configuration", dict)
    (tmp_path / "profile.yaml").write_text("partition: short\n")
    before = {path.name for path in tmp_path.iterdir()}
    assert main([*command, "suite.yaml"]) == 2
    assert "suite.yaml: cell oracle_irm-beta1: unknown field 'separator.beta'" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == before
    (tmp_path / "suite.yaml").write_text(
        f"datasets: [demo]\nmodels: [{{model: oracle_irm, sweep: {{separator.beta: {[*range(1001)]}}}}}]\n"
    )
    assert main([*command, "suite.yaml"]) == 2
    assert "its sweeps stand for 1,001 cells, more than 1,000" in capsys.readouterr().err
    assert main([*command, "suite.yaml", "--yes"]) == 2
    assert "unknown field 'separator.beta'" in capsys.readouterr().err
