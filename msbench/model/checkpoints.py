"""Models by name, and models back from their checkpoints."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from msbench import registry
from msbench.model.separator import Separator

KEY = "msbench_separator"  # where a checkpoint holds {"name", "options"} of its model


def load(model: str | Path, checkpoint: str | Path | None = None, **options: Any) -> Separator:
    """A separator by its registered name, or by the path of a checkpoint that `msbench fit` wrote.

    Args:
        model: A registered name, or a checkpoint's path (*.ckpt).
        checkpoint: Weights to load into the named model; its options come from the checkpoint where none are given.
        options: Arguments of the model's constructor.

    Raises:
        KeyError: If the name is unknown.
        ImportError: If the plugin is broken.
        ValueError: If an option is unknown to the model, or the checkpoint is of another model.
        FileNotFoundError: If there is no such checkpoint.
    """
    name: str | None = str(model)
    if str(model).endswith(".ckpt"):
        if checkpoint is not None:
            raise ValueError(f"two checkpoints given, {model} and {checkpoint}: name the model, or give one")
        name, checkpoint = None, model
    if checkpoint is None:
        assert name is not None
        return create(name, options)
    content = read_checkpoint(checkpoint)
    registered = content[KEY]
    if name is not None and name != registered["name"]:
        raise ValueError(f"{checkpoint} is a checkpoint of '{registered['name']}', not of '{name}'")
    separator = create(registered["name"], {**registered["options"], **options})
    load_weights(separator, content, checkpoint)
    return separator


def create(name: str, options: dict[str, Any]) -> Separator:
    """Build a registered model, and note on it what it was built from.

    Raises:
        KeyError, ImportError: As `msbench.registry.load`.
        ValueError: If an option is not one of the constructor's.
    """
    plugin = registry.load("models", name)
    known = inspect.signature(plugin).parameters
    unknown = [key for key in options if key not in known]
    if unknown and not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
        raise ValueError(f"model '{name}' has no option '{unknown[0]}': it takes {', '.join(known) or 'none'}")
    separator: Separator = plugin(**options)
    if not isinstance(separator, Separator):
        raise ValueError(f"model '{name}' is a {type(separator).__name__}, not an msbench.Separator")
    separator.registered = {"name": name, "options": options}
    return separator


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint written by `msbench fit`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a checkpoint of ours.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint that can be read: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or KEY not in content:
        raise ValueError(f"{path} is not a checkpoint of msbench: it does not say which model it holds")
    return content


def load_weights(separator: Separator, content: dict[str, Any], path: str | Path) -> None:
    """Put the separator's weights of a checkpoint (their moving average, where one was kept) into a model.

    Raises:
        ValueError: If names or shapes of the weights do not match.
    """
    prefix = "separator."
    weights = {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)}
    try:
        separator.load_state_dict(weights)
    except RuntimeError as error:
        detail = str(error).splitlines()[1].strip() if len(str(error).splitlines()) > 1 else str(error)
        raise ValueError(f"{path} does not fit {type(separator).__name__} as configured: {detail}") from error
