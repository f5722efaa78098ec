"""What stands for a model where its weights are wanted: a checkpoint's path, a registered model, published weights."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msbench import registry
from msbench.model.checkpoints import Checkpoint, create
from msbench.model.constructor import name_now
from msbench.model.separator import Separator
from msbench.system.bounded import cut
from msbench.system.wording import choices
from msbench.weights import catalogue
from msbench.weights.catalogue import Weights
from msbench.weights.published import load as load_published


def names_checkpoint(model: str | Path) -> bool:
    """Whether a text that stands for a model is the path of a checkpoint, and not a name.

    A registered name is never one; what else exists as a file, or looks like a path, is.
    """
    text = str(model)
    if isinstance(model, Path) or text.endswith(".ckpt"):
        return True
    return text not in registry.entries("models") and (os.sep in text or Path(text).exists())


def named_weights(model: str | Path) -> Weights | None:
    """The published weights that a text stands for, if any.

    A checkpoint's path and a registered model come first. A model that has to be trained is nothing without weights, so
    that its name stands for published ones of the same name.
    """
    found = None if names_checkpoint(model) else catalogue.known().get(str(model))
    if found is None or str(model) not in registry.entries("models"):
        return found
    return found if getattr(registry.load("models", str(model)), "trainable", True) else None


def targets_of(weights: Weights, options: Mapping[str, Any]) -> Sequence[str]:
    """The targets that published weights will have, before their files are here.

    Args:
        weights: What the catalog says.
        options: Arguments of the model's constructor, which may rename the targets.
    """
    renamed = options.get("targets")
    return renamed if isinstance(renamed, list) else weights.targets


def load(model: str | Path, checkpoint: str | Path | None = None, **options: Any) -> Separator:
    """A separator by its registered name, the path of a checkpoint that `msbench fit` wrote, or the name of weights.

    A registered model comes without trained weights, also where published ones have the same name: `load_weights`
    gives those.

    Args:
        model: A registered name, a checkpoint's path, or the name of published weights whose files are here.
        checkpoint: Weights to load into the named model; its options come from the checkpoint where none are given.
        options: Arguments of the model's constructor.

    Raises:
        KeyError: If the name is unknown.
        ImportError: If the plugin is broken.
        ValueError: If an option is unknown to the model or refused by it, or the checkpoint is of another model.
        FileNotFoundError: If there is no such checkpoint.
    """
    if checkpoint is None and not names_checkpoint(model) and str(model) in registry.entries("models"):
        return create(str(model), options)
    held = find_checkpoint(model, checkpoint)
    if held is None:
        raise _unknown(str(model))
    return held.separator(**options)


def load_weights(name: str, files: Sequence[str | Path] | None = None, **options: Any) -> Separator:
    """The model of published weights. Nothing is downloaded: `msbench weights get NAME` does that.

    Args:
        name: Of the weights (`msbench list weights`).
        files: Where their files are; in the cache when None.
        options: Arguments of the model's constructor, in place of those that the publisher used.

    Raises:
        KeyError: If there are no weights of this name.
        FileNotFoundError: If a file is not there; the message says where it is to be had.
        ValueError: If a file cannot be read, or those of the cache are not the publisher's.
    """
    return load_published(name, files).separator(**options)


def trained(model: str | Path, files: Sequence[str | Path] = (), /, **options: Any) -> Separator:
    """A model that is ready to separate, from whatever stands for it; `origin` says where its weights are from.

    Args:
        model: A checkpoint, the name of published weights, or that of a model without weights.
        files: Those of the published weights; in the cache where none are given.
        options: Arguments of the model's constructor, in place of those that its weights were trained with.

    Raises:
        KeyError: If the name is unknown.
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, the model has to be trained, or an option is unknown to it or refused.
    """
    held = find_checkpoint(model, files=files)
    if held is None:
        refuse_untrained(str(model), "separate")
        return create(str(model), options)
    separator = held.separator(**options)
    separator.origin = {
        "name": held.weights_name or held.name,
        "sha256": held.sha256,
        "licence": held.licence,
        "training": held.training,
    }
    return separator


def find_checkpoint(
    model: str | Path, checkpoint: str | Path | None = None, files: Sequence[str | Path] = ()
) -> Checkpoint | None:
    """Read the checkpoint, or the published weights, that a model is made of; None where there is none.

    Args:
        model: What stands for the model.
        checkpoint: Weights for a model given by name, as `msbench fit` wrote them.
        files: Those of the published weights that `model` names; in the cache where none are given.

    Raises:
        KeyError: If there are files and the model names no published weights.
        ValueError: If two of the three name weights, or the checkpoint is of another model.
        FileNotFoundError: If there is no such file.
    """
    if files:
        if checkpoint is not None:
            raise ValueError(f"weights given twice, {checkpoint} and {files[0]}: give one")
        return load_published(catalogue.find(str(model)), files)
    if names_checkpoint(model):
        if checkpoint is not None:
            raise ValueError(f"two checkpoints given, {model} and {checkpoint}: name the model, or give one")
        return Checkpoint.read(model)
    if checkpoint is None:
        weights = named_weights(model)
        return None if weights is None else load_published(weights)
    held = Checkpoint.read(checkpoint)
    if held.name != name_now(str(model), held.options):
        raise ValueError(f"{checkpoint} is a checkpoint of '{held.name}', not of '{model}'")
    return held


def refuse_untrained(name: str, command: str) -> None:
    """Refuse a registered model that has nothing to say before it is trained.

    Args:
        name: Of the model.
        command: That was called with it, for the way out.

    Raises:
        KeyError, ImportError: As `msbench.registry.load`.
        ValueError: If the model has to be trained.
    """
    if name not in registry.entries("models"):
        raise _unknown(name)
    if getattr(registry.load("models", name), "trainable", True):
        raise ValueError(
            f"'{name}' has to be trained first: give its checkpoint (msbench {command} runs/.../best.ckpt), or "
            "published weights (msbench list weights)"
        )


def _unknown(name: str) -> KeyError:
    if name in (absent := catalogue.absent()):
        return KeyError(f"the weights '{name}' are not in msbench: {absent[name]}")
    known = [*registry.entries("models"), *catalogue.known()]
    return KeyError(
        f"unknown model '{cut(name, registry.LONGEST_SHOWN)}'. {choices(name, known)} (msbench list models and "
        "msbench list weights show them. An entry point added since its package was installed is seen after "
        "reinstalling it; a single file is loaded by --plugin FILE.)"
    )
