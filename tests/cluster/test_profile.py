"""Cluster profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.cluster.profile import Profile, read_profile
from msbench.runs.resources import Resources

CLUSTERS = Path(__file__).parents[2] / "slurm" / "clusters"


def test_the_example_names_every_field() -> None:
    profile = read_profile(CLUSTERS / "example.yaml")
    text = (CLUSTERS / "example.yaml").read_text()
    assert [name for name in vars(Profile()) if f"\n{name}:" not in text] == []
    assert profile.train == Resources(1, 1, 8, 32, 12)
    assert profile.sbatch_options(Resources(gpus=2)) == [
        "--partition=gpu", "--account=my-project", "--qos=normal", "--constraint=a100", "--gpus-per-node=a100:2",
        "--requeue", "--exclude=node13",
    ]  # fmt: skip


def test_how_a_gpu_is_asked_for() -> None:
    two = Resources(gpus=2)
    assert Profile(gpu_flag="gres").gpu_option(two) == "--gres=gpu:2"
    assert Profile(gpu_flag="gres", gpu_type="a100").gpu_option(two) == "--gres=gpu:a100:2"
    assert Profile(gpu_flag="none").gpu_option(two) is None
    assert Profile().gpu_option(Resources(gpus=0)) is None
    assert Resources(gpus=0).ranks_per_node == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("partitions: gpu", "unknown field 'partitions': the fields are partition, account"),
        ("train: {gpu: 1}", "unknown field 'gpu'"),
        ("evaluate: {nodes: 2}", "one process on one node does it"),
        ("gpu_flag: gpus", "gpu_flag is one of gpus-per-node, gres, none, not 'gpus'"),
        ("setup: module load cuda", "field 'setup' is a list of lines"),
        ("at_once: 0", "field 'at_once' is a count, not 0"),
        ("requeue: often", "field 'requeue' is true or false, not 'often'"),
        ("- gpu", "expected fields"),
        ("a: [", "is not YAML"),
    ],
)
def test_profiles_that_cannot_be(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_profile(tmp_path / "mine.yaml")


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"copy slurm/clusters/example.yaml"):
        read_profile(tmp_path / "mine.yaml")
