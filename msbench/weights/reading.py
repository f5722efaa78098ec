"""Files of published weights, read as data: nothing in them is run, and no class that they name is imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from msbench.model.checkpoint_file import is_stored, read_pickled
from msbench.system.bounded import shown


class Converted(NamedTuple):
    """What the files of published weights hold, as msbench has it.

    Attributes:
        model: The registered model that holds them.
        options: Of its constructor, as far as the files tell them.
        state: Its parameters and buffers by name.
    """

    model: str
    options: dict[str, Any]
    state: Mapping[str, Tensor]


def read_weights(path: Path, stand_ins: Sequence[str] = ()) -> Any:
    """What a file of `torch.save` holds: dicts, lists, numbers, text and tensors.

    Args:
        path: The file.
        stand_ins: Dotted names of classes that the file may name, as Demucs's files name their networks. None of them
            is imported: an object of such a class is read as one that holds its `arguments`.

    Raises:
        ValueError: If it is no such file, damaged, or holds other code; the message says so.
    """
    return read_pickled(path, stand_ins=stand_ins)[0]


def refuse_other_fields(
    given: Mapping[str, Any], fixed: Mapping[str, Any], others: Collection[str] | None = None
) -> None:
    """Refuse a publisher's configuration of a network that a model here cannot follow.

    Args:
        given: Its fields.
        fixed: Those that have one value here, which a field that is not given has too. Where that is None, so is any
            other that is false.
        others: All further ones that are known; none is refused when None.

    Raises:
        ValueError: If a field has another value, or is unknown.
    """
    for name, value in fixed.items():
        found = given.get(name, value)
        if found != value and not (value is None and not found):
            raise ValueError(f"the network has {name}={shown(found)}, and that of msbench {shown(value)}")
    strange = [] if others is None else [name for name in given if name not in fixed and name not in others]
    if strange:
        raise ValueError(f"the network has the field {shown(strange[0])}, which that of msbench has not")


def plain_state(state: Any, where: str) -> dict[str, Tensor]:
    """Parameters and buffers by name, in single precision: publishers store halves to save space.

    Raises:
        ValueError: If it holds anything else.
    """
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"{where} holds no weights: give the file that its publisher offers")
    for name, value in state.items():
        if not isinstance(name, str) or not is_stored(value):
            raise ValueError(f"{where} holds {shown(name)}, which is no tensor with a name: it has another format")
    return {name: value.detach().float() if value.is_floating_point() else value for name, value in state.items()}
