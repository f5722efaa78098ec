"""One checkpoint of several that hold the networks of different targets: `msbench join`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from msbench.model.checkpoint_file import RUN
from msbench.model.checkpoints import Checkpoint, create, write
from msbench.model.separator import Separator
from msbench.system.bounded import shown
from msbench.training.identity import completed, counted
from msbench.training.lineage import joined as joined_training


def join(paths: Sequence[str | Path], output: str | Path) -> Path:
    """Write a checkpoint with the networks of all targets of several, in the order given.

    It can be evaluated, separate, and begin a training (`init_from`); there is no training to go on with.

    Args:
        paths: Checkpoints of one model with a network per target (`Separator.networks`), each of other targets.
        output: The new file.

    Raises:
        FileNotFoundError: If a checkpoint is not there.
        ValueError: If there are not two, one is none, they do not belong together, or the output exists.
    """
    output = Path(output)
    if output.exists():
        raise ValueError(f"{output} exists: give another name with -o")
    if len(paths) < 2:
        raise ValueError("a single checkpoint has nothing to be joined with: give two or more")
    parts = [Checkpoint.read(path) for path in paths]
    first = parts[0]
    targets: list[str] = []
    for part in parts:
        _refuse_other(part, first)
        models_targets = part.options.get("targets") or []
        if twice := set(targets) & set(models_targets):
            raise ValueError(
                f"{part.path} holds {', '.join(sorted(twice))}, as one before it does: give one of the two"
            )
        targets += models_targets
    model = create(first.name, {**first.options, "targets": targets})
    if not model.networks():
        raise ValueError(f"{type(model).__name__} has no network per target that could be joined: train it as a whole")
    shared: dict[str, Tensor] = {}
    for part in parts:
        separator = part.separator()
        for target, network in separator.networks().items():
            model.networks()[target].load_state_dict(network.state_dict())
        for name, value in _shared(separator).items():
            if not torch.equal(shared.setdefault(name, value), value):
                raise ValueError(f"{part.path} and {first.path} have other values of {name}, which all targets share")
    model.load_state_dict(shared, strict=False)
    write(model, output, _about(parts))
    return output


def _refuse_other(part: Checkpoint, first: Checkpoint) -> None:
    """Refuse a checkpoint of another model or with other options."""
    if part.name != first.name:
        raise ValueError(f"{part.path} is a checkpoint of '{part.name}', and {first.path} of '{first.name}'")
    one, other = (_options(each) for each in (part, first))
    for option in sorted(one.keys() | other.keys()):
        if one.get(option) != other.get(option):
            raise ValueError(
                f"{part.path} was trained with {option} {shown(one.get(option))}, and {first.path} with "
                f"{shown(other.get(option))}: only the targets may differ"
            )


def _options(part: Checkpoint) -> dict[str, Any]:
    options = counted(completed({"separator": part.options}))["separator"]
    return {name: value for name, value in options.items() if name != "targets"}


def _shared(separator: Separator) -> dict[str, Tensor]:
    """The weights that are no target's own."""
    own = {
        id(tensor)
        for network in separator.networks().values()
        for tensor in network.state_dict(keep_vars=True).values()
    }
    return {name: tensor for name, tensor in separator.state_dict(keep_vars=True).items() if id(tensor) not in own}


def _about(parts: Sequence[Checkpoint]) -> dict[str, Any]:
    """What is said of the training of all parts together."""
    trainings: list[Mapping[str, Any] | None] = [part.training for part in parts]
    seeds = {part.seed for part in parts}
    return {
        RUN: {"settings": None, "initial": None, "changed": [], "joined": [part.sha256 for part in parts]},
        "training": None if None in trainings else reduce(joined_training, trainings),
        "seed": seeds.pop() if len(seeds) == 1 else None,
    }
