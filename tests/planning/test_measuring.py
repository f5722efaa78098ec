"""A training step is measured in a process of its own, without a dataset, and what goes wrong is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.planning.measuring import keep, measure
from msbench.runs.suite import Suite, read_suite
from tests.tiny import write_model

SUITE = """
datasets: [folder]
roots: {folder: nowhere}
models:
  - {recipe: tiny.yaml, sweep: {separator.width: [9, -3]}, label: 'w{separator.width}'}
"""
RECIPE = """
name: tiny
data: {chunk_seconds: 0.25, batch_size: 3}
trainer: {accelerator: cpu, accumulate_grad_batches: 2}
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    return read_suite(tmp_path)


def test_a_step_of_the_real_recipe(suite: Suite) -> None:
    found = measure(suite, suite.cells[0])
    assert found["batch"] == [3, 2, 1, 2000]
    assert found["parameters"] == 20
    assert 0 < found["step_seconds"] < 60
    assert found["peak_bytes"] > 2**20
    assert sorted(path.name for path in suite.folder.iterdir()) == ["plugins", "suite.yaml", "tiny.yaml"]
    keep(suite, "shape", found)
    assert (suite.folder / "runs" / "measured.json").is_file()


def test_what_cannot_be_measured_says_why(suite: Suite) -> None:
    assert "model 'tiny' cannot be built with width=-3" in measure(suite, suite.cells[1])["error"]
