"""Cluster profiles: a YAML file that says how one cluster wants its jobs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from msbench.runs.resources import Resources

GPU_FLAGS = ("gpus-per-node", "gres", "none")


@dataclass(frozen=True)
class Profile:
    """How one cluster wants its jobs; `slurm/clusters/example.yaml` says what each field means."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpu_flag: str = "gpus-per-node"
    gpu_type: str | None = None
    at_once: int | None = None
    array_limit: int | None = None
    options: tuple[str, ...] = ()
    train: Resources = Resources()  # noqa: RUF009 (frozen)
    evaluate: Resources = Resources(hours=4)  # noqa: RUF009
    aggregate: Resources = Resources(gpus=0, cpus=1, memory_gb=4, hours=1)  # noqa: RUF009
    setup: tuple[str, ...] = ()
    python: str = sys.executable
    container: str = ""
    scratch: str | None = None
    requeue: bool = True
    most_requeues: int = 50
    save_seconds: int = 120

    def gpu_option(self, resources: Resources) -> str | None:
        """The option of sbatch that asks for the GPUs of a node."""
        if not resources.gpus or self.gpu_flag == "none":
            return None
        count = f"{self.gpu_type}:{resources.gpus}" if self.gpu_type else str(resources.gpus)
        return f"--gres=gpu:{count}" if self.gpu_flag == "gres" else f"--gpus-per-node={count}"

    def sbatch_options(self, resources: Resources) -> list[str]:
        """What the cluster wants said of each job, one option a line of the script."""
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
    try:
        content = yaml.safe_load(path.read_text("utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    try:
        return _profile(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _profile(content: Any) -> Profile:
    if not isinstance(content, dict):
        raise ValueError("expected fields, as slurm/clusters/example.yaml has them")
    known = [field.name for field in fields(Profile)]
    unknown = next((key for key in content if key not in known), None)
    if unknown is not None:
        raise ValueError(f"unknown field '{unknown}': the fields are {', '.join(known)}")
    profile = Profile()
    for key, value in content.items():
        default = getattr(profile, key)
        given = value
        if isinstance(default, Resources):
            if not isinstance(value, dict):
                raise ValueError(f"field '{key}' holds fields of resources, not {value!r}")
            given = default.but(value)
        elif isinstance(default, tuple):
            if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
                raise ValueError(f"field '{key}' is a list of lines, not {value!r}")
            given = tuple(value)
        elif isinstance(default, bool) or key in ("at_once", "array_limit", "most_requeues", "save_seconds"):
            kind = bool if isinstance(default, bool) else int
            if type(value) is not kind or (kind is int and value < (0 if key == "most_requeues" else 1)):
                raise ValueError(f"field '{key}' is {'true or false' if kind is bool else 'a count'}, not {value!r}")
        elif value is not None:
            given = str(value)
        profile = replace(profile, **{key: given})
    if (profile.evaluate.nodes, profile.aggregate.nodes) != (1, 1):
        raise ValueError("evaluate and aggregate: one process on one node does it: leave `nodes` out")
    if profile.gpu_flag not in GPU_FLAGS:
        raise ValueError(f"gpu_flag is one of {', '.join(GPU_FLAGS)}, not {profile.gpu_flag!r}")
    return profile
