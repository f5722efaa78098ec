"""Suites whose names are resolved: what is not there, and the names that cells keep for good."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.runs.suite import read_suite

KEPT = """
board: kept
datasets: [demo, folder]
roots: {folder: songs}
seeds: [0, 7]
split: valid
backend: museval
metrics: [si-sdr, snr]
resources: {gpus: 2}
models:
  - tiny.yaml
  - {recipe: tiny.yaml, label: longer, set: {trainer.max_epochs: 3, separator.width: wide}, resources: {hours: 2}}
  - unet_small.yml
  - oracle_irm
  - {model: oracle_irm, label: alpha, set: {separator.alpha: 2.0}}
"""
RECIPE = """
name: unet
data: {chunk_seconds: 0.25, batch_size: 2}
trainer: {max_epochs: 2}
"""
# As the first release named them: run folders and records that lie on disks somewhere.
NAMES = [
    "tiny-demo-s0-cad28bb5",
    "tiny-demo-s7-cad28bb5",
    "longer-demo-s0-c97d6a48",
    "longer-demo-s7-c97d6a48",
    "unet_small-demo-s0-cad28bb5",
    "unet_small-demo-s7-cad28bb5",
    "oracle_irm-demo-6cf9f073",
    "alpha-demo-7ffc89bd",
    "tiny-folder-s0-cad28bb5",
    "tiny-folder-s7-cad28bb5",
    "longer-folder-s0-c97d6a48",
    "longer-folder-s7-c97d6a48",
    "unet_small-folder-s0-cad28bb5",
    "unet_small-folder-s7-cad28bb5",
    "oracle_irm-folder-6cf9f073",
    "alpha-folder-7ffc89bd",
]
NAMES_OF_DEFAULTS = ["tiny-demo-s0-91b70abe", "mixture-demo-610dbda2"]


def write(folder: Path, suite: str) -> None:
    (folder / "suite.yaml").write_text(suite)
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "unet_small.yml").write_text(RECIPE)


def test_cells_keep_the_names_that_they_always_had(tmp_path: Path) -> None:
    write(tmp_path, KEPT)
    suite = read_suite(tmp_path)
    assert [cell.name for cell in suite.cells] == NAMES
    assert suite.cells[2].resources == {"gpus": 2, "hours": 2}
    assert suite.cells[8].root == tmp_path / "songs"
    write(tmp_path, "datasets: [demo]\nmodels: [tiny.yaml, mixture]\n")
    assert [cell.name for cell in read_suite(tmp_path).cells] == NAMES_OF_DEFAULTS


def test_a_cell_changes_its_name_when_what_is_trained_changes(tmp_path: Path) -> None:
    write(tmp_path, "datasets: [demo]\nseeds: [0, 1]\nmodels: [tiny.yaml, mixture]\n")
    before = read_suite(tmp_path).cells
    names = [cell.name for cell in before]
    (tmp_path / "tiny.yaml").write_text(RECIPE.replace("batch_size: 2", "batch_size: 4"))
    after = [cell.name for cell in read_suite(tmp_path).cells]
    assert [cell.name for cell in before] == names  # what has been read is trained, whatever becomes of the file
    assert [a == b for a, b in zip(names, after, strict=True)] == [False, False, True]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("datasets: [demo]\nmodel: [mixture]\n", "unknown field 'model'. Did you mean models?"),
        ("datasets: [demo]\nmodels: []\n", "field 'models' must be a list of at least one"),
        ("datasets: [demoo]\nmodels: [mixture]\n", "field 'datasets': unknown dataset 'demoo'. Did you mean demo"),
        ("datasets: [demo]\nmodels: [mixtur]\n", "field 'models[0]': unknown model 'mixtur'. Did you mean mixture"),
        ("datasets: [demo]\nmodels: [mixture, mixture]\n", "both called 'mixture'"),
        ("datasets: [demo]\nmodels: [mixture, {recipe: gone.yaml}]\n", "field 'models[1]': no recipe 'gone.yaml'"),
        ("datasets: [demo]\nmodels: [{model: unet, checkpoint: gone.ckpt}]\n", "no checkpoint"),
        ("datasets: [demo]\nmodels: [suite.yaml]\n", "names no model: add a line `name: MODEL`"),
        ("datasets: [demo]\nmodels: [list.yaml]\n", "list.yaml is no recipe: it must hold fields"),
        ("datasets: [demo]\nmodels: [mixture]\nmetrics: [sisdr]\n", "field 'metrics': unknown metric 'sisdr'"),
        ("datasets: [demo\n", "is not YAML"),
        ("datasets: [folder]\nroots: {folder: nowhere}\nmodels: [mixture]\n", "no dataset 'folder' at"),
        ("datasets: [demo]\nmodels: [mixture]\nsplit: tests\n", "no split 'tests'"),
    ],
)
def test_bad_suites(tmp_path: Path, text: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "suite.yaml").write_text(text)
    (tmp_path / "list.yaml").write_text("[1, 2]")
    assert main(["bench", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"suite.yaml", "list.yaml"}


def test_a_metric_without_its_library_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)
    (tmp_path / "suite.yaml").write_text("datasets: [demo]\nmodels: [mixture]\nmetrics: [stoi]\n")
    assert main(["bench", str(tmp_path)]) == 2
    assert "pystoi" in capsys.readouterr().err


def test_inference_is_part_of_a_name_where_it_is_given(tmp_path: Path) -> None:
    write(tmp_path, "datasets: [demo]\nmodels: [tiny.yaml, mixture]\ninference: {}\n")
    assert [cell.name for cell in read_suite(tmp_path).cells] == NAMES_OF_DEFAULTS
    write(
        tmp_path,
        "datasets: [demo]\ninference: {overlap: 0.5}\n"
        "models: [tiny.yaml, {model: mixture, inference: {batch_size: 2, overlap: 0.1}}]\n",
    )
    trained, mixture = read_suite(tmp_path).cells
    assert (trained.inference, mixture.inference) == ({"overlap": 0.5}, {"batch_size": 2, "overlap": 0.1})
    assert trained.name not in NAMES_OF_DEFAULTS
    assert mixture.name not in NAMES_OF_DEFAULTS
