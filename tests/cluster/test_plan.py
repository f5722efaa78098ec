"""The plan of a suite: shapes, splits, and what waits for what. No torch, no SLURM."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from msbench import records
from msbench.cluster.plan import Plan, Resources, make_plan, missing_cells
from msbench.runs.state import mark_trained
from msbench.runs.suite import Suite, read_suite
from tests.leaderboard.boards import record

SUITE = """
datasets: [demo]
seeds: [0, 1, 2]
resources: {hours: 3}
models:
  - {recipe: unet_small, resources: {gpus: 2, nodes: 2}}
  - conv_tasnet_small
  - {recipe: unet_small, label: again, resources: {hours: 3}, set: {trainer.max_epochs: 1}}
  - oracle_irm
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "suite.yaml").write_text(SUITE)
    return read_suite(tmp_path)


def shape_of(plan: Plan) -> list[tuple[str, int, str | None]]:
    return [(array.name, len(array.cells), array.after) for array in plan.arrays]


def test_one_train_array_a_shape_and_an_evaluation_after_each(suite: Suite) -> None:
    plan = make_plan(suite, train=Resources(cpus=8, hours=5))
    assert shape_of(plan) == [
        ("train-1", 3, None),
        ("train-2", 6, None),
        ("evaluate-1", 3, "train-1"),
        ("evaluate-2", 6, "train-2"),
        ("evaluate-3", 1, None),  # the oracle waits for nothing
    ]
    assert plan.arrays[0].resources == Resources(nodes=2, gpus=2, cpus=8, hours=3)
    assert plan.arrays[1].resources == Resources(cpus=8, hours=3)
    assert plan.arrays[0].cells == plan.arrays[2].cells
    assert plan.cells == [*suite.cells]


def test_long_arrays_are_split(suite: Suite) -> None:
    plan = make_plan(suite, longest=4)
    assert [(name, count) for name, count, _ in shape_of(plan)] == [
        ("train-1", 3),
        ("train-2", 4),
        ("train-3", 2),
        ("evaluate-1", 3),
        ("evaluate-2", 4),
        ("evaluate-3", 2),
        ("evaluate-4", 1),
    ]
    assert [after for _, _, after in shape_of(plan)][3:] == ["train-1", "train-2", "train-3", None]


def test_what_is_done_is_not_planned(suite: Suite) -> None:
    first, second, *_ = suite.cells
    suite.run_folder(first).mkdir(parents=True)
    mark_trained(suite.run_folder(first))
    suite.record_path(second).parent.mkdir()
    suite.record_path(second).write_text("{}")
    assert [(a.name, a.after) for a in make_plan(suite).arrays if first in a.cells] == [("evaluate-3", None)]
    assert all(second not in array.cells for array in make_plan(suite).arrays)


def test_a_record_that_lacks_what_is_asked_for_now_is_planned_again_and_nothing_is_trained(suite: Suite) -> None:
    cell = next(cell for cell in suite.cells if cell.label == "oracle_irm")
    records.write(suite.record_path(cell), record("oracle_irm"))  # of the targets band and voice
    assert cell not in missing_cells(suite)
    for asked, again in (("scenario: [vocals, accompaniment]", True), ("scenario: [voice, band]", False)):
        suite.path.write_text(f"{SUITE}{asked}\n")
        asks = read_suite(suite.path)
        assert [each.name for each in asks.cells] == [each.name for each in suite.cells]
        assert (cell.name in {each.name for each in missing_cells(asks)}) == again
    every = f"{SUITE}scenario: [vocals, accompaniment]\n"
    suite.path.write_text(every.replace("oracle_irm", "{model: oracle_irm, scenario: []}"))
    assert cell.name not in {each.name for each in missing_cells(read_suite(suite.path))}
    suite.path.write_text(f"{SUITE}pooled: true\n")
    assert cell.name in {each.name for each in missing_cells(read_suite(suite.path))}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("resources: {gpu: 2}", "unknown field 'resources.gpu'. .*The fields are nodes, gpus, cpus, memory_gb, hours"),
        ("resources: {gpus: -1}", "resources.gpus' must be a whole number of at least 0, not -1"),
        ("resources: {hours: long}", "resources.hours' must be a number above 0, not 'long'"),
    ],
)
def test_resources_that_cannot_be(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "suite.yaml").write_text(f"datasets: [demo]\nmodels: [unet_small]\n{text}\n")
    with pytest.raises(ValueError, match=sentence):
        read_suite(tmp_path)


def test_a_plan_needs_no_torch(suite: Suite) -> None:
    code = "import sys; from msbench.cluster.plan import make_plan; from msbench.runs.suite import read_suite; "
    code += f"make_plan(read_suite({str(suite.path)!r})); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
