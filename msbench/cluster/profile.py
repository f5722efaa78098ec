"""Cluster profiles: a YAML file that says how one cluster wants its jobs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msbench.runs.resources import Resources
from msbench.system.errors import located
from msbench.system.fields import declared, flag, list_of, one_of, read_fields, shell_lines, text, whole_number, word
from msbench.system.yaml_files import read_yaml

GPU_FLAGS = ("gpus-per-node", "gres", "none")
ONE_PROCESS = ("evaluate", "aggregate")  # stages that one process on one node does
TRAIN = Resources()
EVALUATE = Resources(hours=4)
AGGREGATE = Resources(gpus=0, cpus=1, memory_gb=4, hours=1)


def resources_of_stage(default: Resources) -> Any:
    """A field that changes some of a stage's resources."""

    def read(value: Any, where: str) -> Resources:
        resources = default.but(value, where)
        if where in ONE_PROCESS and resources.nodes != 1:
            raise ValueError(f"field '{where}.nodes': one process on one node does it: leave `nodes` out")
        return resources

    return declared(read, default)


_COUNT = whole_number(1)
# What names something is text, whatever YAML would take it for: the account 007.
NAMES = ("partition", "account", "qos", "constraint", "gpu_type")


@dataclass(frozen=True)
class Profile:
    """How one cluster wants its jobs; `slurm/clusters/example.yaml` says what each field means."""

    partition: str | None = declared(word, None)
    account: str | None = declared(word, None)
    qos: str | None = declared(word, None)
    constraint: str | None = declared(word, None)
    gpu_flag: str = declared(one_of(*GPU_FLAGS), "gpus-per-node")
    gpu_type: str | None = declared(word, None)
    at_once: int | None = declared(_COUNT, None)
    array_limit: int | None = declared(_COUNT, None)
    options: tuple[str, ...] = declared(list_of(word, "options", '["--exclude=node13"]'), ())
    train: Resources = resources_of_stage(TRAIN)
    evaluate: Resources = resources_of_stage(EVALUATE)
    aggregate: Resources = resources_of_stage(AGGREGATE)
    setup: tuple[str, ...] = declared(list_of(shell_lines, "lines", '["module load cuda"]'), ())
    python: str = declared(text, sys.executable)
    container: str = declared(word, "")
    scratch: str | None = declared(word, None)
    requeue: bool = declared(flag, True)
    most_requeues: int = declared(whole_number(0), 50)
    save_seconds: int = declared(_COUNT, 120)

    def gpu_option(self, resources: Resources) -> str | None:
        """The option of sbatch that asks for the GPUs of a node."""
        if not resources.gpus or self.gpu_flag == "none":
            return None
        count = f"{self.gpu_type}:{resources.gpus}" if self.gpu_type else str(resources.gpus)
        return f"--gres=gpu:{count}" if self.gpu_flag == "gres" else f"--gpus-per-node={count}"

    def sbatch_options(self, resources: Resources) -> list[str]:
        """What the cluster wants said of each job, one option per line of the script."""
        named = {key: getattr(self, key) for key in ("partition", "account", "qos", "constraint")}
        found = [f"--{key}={value}" for key, value in named.items() if value]
        gpus = self.gpu_option(resources)
        return [*found, *([gpus] if gpus else []), "--requeue" if self.requeue else "--no-requeue", *self.options]


def read_profile(path: Path) -> Profile:
    """Read a cluster profile.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a field is unknown or its value cannot be.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no cluster profile {path}: copy slurm/clusters/example.yaml")
    content = read_yaml(path, NAMES)
    with located(str(path)):
        return read_fields(Profile, {} if content is None else content)
