"""Models built by their registered names, and models back from their checkpoints."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from msbench import registry
from msbench.model.checkpoint_file import KEY, PREFIX, RUN, content_of
from msbench.model.constructor import name_now, parameters_of
from msbench.model.fitting import Fitting, fitting_of, load_fitting
from msbench.model.low_rank import merged
from msbench.model.rebuilding import rebuild
from msbench.model.separator import Separator
from msbench.system import errors
from msbench.system.bounded import shown
from msbench.system.files import replacing


def save(separator: Separator, path: str | Path) -> None:
    """Write a checkpoint of a model whose weights come from elsewhere, such as those that a paper published.

    It can be evaluated, separate, and begin a training (`init_from`), as one that `msbench fit` wrote.

    Args:
        separator: As `load` built it.
        path: The file, replaced if it exists.

    Raises:
        ValueError: If the model was not built by its registered name.
        OSError: If the file cannot be written.
    """
    if separator.registered is None:
        raise ValueError(
            f"a checkpoint names its model, and this {type(separator).__name__} was not built by name: build it with "
            "msbench.load(NAME, ...)"
        )
    write(separator, Path(path), {})


def write(separator: Separator, path: Path, about: Mapping[str, Any]) -> None:
    """Write a checkpoint of a model that was built by its name, with what else the file says of its weights."""
    weights = {f"{PREFIX}{name}": value for name, value in separator.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        torch.save({"state_dict": weights, KEY: separator.registered, **about}, temporary)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint written by `msbench fit` holds of its model; the state of the training is left out.

    A pickled copy leaves the weights behind: it goes to other processes to be told of, not to be loaded there.

    Attributes:
        path: The file.
        sha256: Of the file, in hexadecimal.
        name: The model's registered name.
        options: The arguments of its constructor.
        seed: Of the training.
        step, epoch: Where in the training it was saved.
        training: What it was trained on, as a record says it.
        ema: Whether the weights are a moving average.
        run: How it was trained, as `msbench.training.lineage` writes it.
        weights: The model's parameters and buffers, on the CPU; low-rank adapters are added to what they adapt.
        weights_name, licence: Of published weights, whose file this is; None for those that were trained here.

    The seed, step, epoch, training and run are None where the file does not say.
    """

    path: Path
    sha256: str
    name: str
    options: dict[str, Any]
    seed: int | None = None
    step: int | None = None
    epoch: int | None = None
    training: dict[str, Any] | None = None
    ema: bool | None = False
    run: dict[str, Any] | None = field(default=None, repr=False, compare=False)
    weights: Mapping[str, Tensor] | None = field(default=None, repr=False, compare=False)
    weights_name: str | None = None
    licence: str | None = None

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Load the file once, and nothing of it that is code.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not a checkpoint of ours.
        """
        content, sha256 = content_of(path)
        registered = content[KEY]
        name = registered["name"]
        with contextlib.suppress(KeyError, ImportError):  # told by `separator`, where it matters
            name = name_now(name, registered["options"])
        weights = {k.removeprefix(PREFIX): v for k, v in content["state_dict"].items() if k.startswith(PREFIX)}
        return cls(
            path=Path(path),
            sha256=sha256,
            name=name,
            options=registered["options"],
            seed=content.get("seed"),
            step=content.get("global_step"),
            epoch=content.get("epoch"),
            training=content.get("training"),
            ema="averaging_state" in content,  # Lightning's EMAWeightAveraging keeps its own state under this key
            run=content.get(RUN),
            weights=merged(weights),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "weights": None}

    def separator(self, **options: Any) -> Separator:
        """The model with its weights.

        Args:
            options: Of the model's constructor, in place of those it was trained with.

        Raises:
            KeyError, ImportError: If the model is not registered here, or its plugin is broken.
            ValueError: If the model refuses an option, or the weights do not fit it.
        """
        if self.weights is None:
            raise RuntimeError(f"{self.path} was pickled without its weights: build the model before, or read it again")
        registry.load("models", self.name)
        separator = rebuild(
            self.path, lambda: create(self.name, {**self.options, **options}), self.weights, self._refuse_misfit
        )
        separator.load_state_dict(self.weights)
        return separator

    def load_into(self, separator: Separator) -> None:
        """Give a model these weights.

        Raises:
            ValueError: If they do not fit it; the message names those that do not.
        """
        assert self.weights is not None, "read from its file"
        self._refuse_misfit(separator)
        separator.load_state_dict(self.weights)

    def load_fitting(self, separator: Separator) -> Fitting:
        """Give a model those of these weights whose names and shapes are its own.

        Raises:
            ValueError: If that is none of its parameters.
        """
        assert self.weights is not None, "read from its file"
        fitting = load_fitting(separator, self.weights)
        if not set(fitting.taken) & dict(separator.named_parameters()).keys():
            raise ValueError(f"{self.path} has no weight that fits {type(separator).__name__}: {fitting.first_others}")
        return fitting

    def _refuse_misfit(self, separator: Separator) -> None:
        assert self.weights is not None, "read from its file"
        fitting = fitting_of(separator, self.weights)
        if fitting.others:
            raise ValueError(
                f"{self.path} does not fit {type(separator).__name__} as configured: {fitting.first_others}"
            )


def create(name: str, options: dict[str, Any]) -> Separator:
    """Build a registered model, and note on it what it was built from.

    Raises:
        KeyError, ImportError: As `msbench.registry.load`.
        ValueError: If an option is unknown, missing, or refused by the constructor.
    """
    name = name_now(name, options)
    plugin = registry.load("models", name)
    known = parameters_of(plugin)
    unknown = [key for key in options if key not in known]
    if unknown and not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
        raise ValueError(f"model '{name}' has no option '{unknown[0]}': it takes {', '.join(known) or 'none'}")
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [key for key, p in known.items() if p.default is p.empty and p.kind not in variadic]
    missing = [key for key in required if key not in options]
    if missing:
        raise ValueError(f"model '{name}' needs the option '{missing[0]}', which has no default: give it")
    try:
        with errors.located(f"model '{name}'"):
            separator = plugin(**options)
    except Exception as error:
        wrong = None if errors.is_deliberate(error) else _refused(plugin, options, required)
        if wrong is None:
            raise
        raise ValueError(
            f"model '{name}' cannot be built with {', '.join(f'{key}={shown(options[key])}' for key in wrong)}: "
            f"{type(error).__name__}: {errors.sentence(error)}"
        ) from error
    if not isinstance(separator, Separator):
        raise ValueError(f"model '{name}' is a {type(separator).__name__}, not an msbench.Separator")
    separator.registered = {"name": name, "options": options}
    return separator


def _refused(plugin: Callable[..., Any], options: dict[str, Any], required: list[str]) -> list[str] | None:
    """The option that makes a constructor fail by accident, deep in torch or so: without it, it does not.

    Where that is no single one, all that are given beyond those that have no default. None where the constructor fails
    without these too: that is a bug of the plugin.
    """
    given = [option for option in options if option not in required]
    for left_out in (*([option] for option in options), given):
        try:
            plugin(**{key: value for key, value in options.items() if key not in left_out})
        except Exception:
            continue
        return left_out
    return None
