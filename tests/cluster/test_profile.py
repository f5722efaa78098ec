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
        "--partition=gpu",
        "--account=my-project",
        "--qos=normal",
        "--constraint=a100",
        "--gpus-per-node=a100:2",
        "--requeue",
        "--exclude=node13",
    ]


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
        ("partitions: gpu", r"unknown field 'partitions'. Did you mean partition .*The fields are partition, account"),
        ("train: {gpu: 1}", "unknown field 'train.gpu'. Did you mean gpus"),
        ("train: {gpus: many}", "field 'train.gpus' must be a whole number of at least 0, not 'many'"),
        ("train: 5", r"field 'train' must hold fields \(nodes, gpus"),
        ("evaluate: {nodes: 2}", "field 'evaluate.nodes': one process on one node does it"),
        ("aggregate: {nodes: 2}", "field 'aggregate.nodes': one process on one node does it"),
        ("gpu_flag: gpus", r"field 'gpu_flag' must be one of gpus-per-node, gres, none, not 'gpus'"),
        ("setup: module load cuda", "field 'setup' must be a list of lines"),
        ("options: [1.5]", r"field 'options\[0\]' must be text, not .*: put it in quotes"),
        ("at_once: 0", "field 'at_once' must be a whole number of at least 1, not 0"),
        ("array_limit: 1.5", "field 'array_limit' must be a whole number of at least 1, not 1.5"),
        ("most_requeues: -1", "field 'most_requeues' must be a whole number of at least 0, not -1"),
        ("save_seconds: true", "field 'save_seconds' must be a whole number of at least 1, not True"),
        ("requeue: often", "field 'requeue' must be true or false, not 'often'"),
        ("account: [me]", "field 'account' must be text, not"),
        ("constraint: {a: b}", "field 'constraint' must be text, not"),
        ("python: 3", "field 'python' must be text, not .*: put it in quotes"),
        ("container: true", "field 'container' must be text, not .*: put it in quotes"),
        ("scratch: [a]", "field 'scratch' must be text, not"),
        ('partition: "a\\n#SBATCH --x"', "field 'partition' must be text without control characters"),
        ('options: ["--a\\ntouch b"]', r"field 'options\[0\]' must be text without control characters"),
        ('scratch: "a\\nb"', "field 'scratch' must be text without control characters"),
        ('setup: ["a\\x1bb"]', r"field 'setup\[0\]' must be text without control characters"),
        ("qos: a\nqos: b", "line 2: the key 'qos' comes twice"),
        ("- gpu", "the file must hold fields"),
        ("a: [", "is not YAML"),
    ],
)
def test_profiles_that_cannot_be(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=sentence) as caught:
        read_profile(tmp_path / "mine.yaml")
    assert str(caught.value).startswith(str(tmp_path / "mine.yaml"))


def test_names_are_the_text_that_stands_there(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text('account: 007\nqos: no\npartition: 2024-01-01\nsetup: ["if a\\n\\tb\\nfi"]\n')
    profile = read_profile(tmp_path / "mine.yaml")
    assert (profile.account, profile.qos, profile.partition) == ("007", "no", "2024-01-01")
    assert profile.setup == ("if a\n\tb\nfi",)


def test_a_number_can_name_an_account(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("account: 1234\nqos:\ncontainer: ''\n")
    assert read_profile(tmp_path / "mine.yaml").sbatch_options(Resources(gpus=0)) == ["--account=1234", "--requeue"]


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"copy slurm/clusters/example.yaml"):
        read_profile(tmp_path / "mine.yaml")
