"""The part of `msbench check` that concerns training: losses, a step, and a checkpoint there and back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from msbench import registry
from msbench.conformance.subject import Broken, Skipped, Subject, difference, require_finite
from msbench.losses.criterion import Criterion, NoMixtureError
from msbench.losses.functions import DOMAINS
from msbench.model.checkpoints import KEY, create, load
from msbench.model.separator import Separator
from msbench.system import errors

CHUNK_SECONDS = 0.1
LOAD_TOLERANCE = 1e-6


def loss_checks(subject: Subject) -> Iterator[tuple[str, Callable[[Subject], str]]]:
    """A check for every registered loss in every domain that the model declares."""
    if not subject.model.trainable:
        yield "losses", _untrainable
        return
    for domain in subject.model.loss_domains:
        for loss in registry.entries("losses"):
            yield f"loss {loss} on the {domain}", partial(_loss, loss=loss, domain=domain)


def _untrainable(subject: Subject) -> str:
    raise Skipped("it has nothing to train")


def _loss(subject: Subject, loss: str, domain: str) -> str:
    criterion = _criterion(loss, domain)
    model = subject.model.train()
    model.zero_grad()
    try:
        value = _value(subject, model, criterion)
    except NoMixtureError as error:
        raise Skipped(errors.sentence(error)) from error
    value.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    for name, gradient in gradients.items():
        if gradient is not None:
            require_finite(gradient, f"gradient of {name}")
    idle = [name for name, gradient in gradients.items() if gradient is None or not gradient.any()]
    if len(idle) == len(gradients):
        raise Broken("every gradient is zero: nothing in the loss depends on the parameters")
    model.zero_grad()
    note = f", no gradient reaches {len(idle)} of {len(gradients)} parameters ({idle[0]})" if idle else ""
    return f"{value.item():.4g}{note}"


def _criterion(loss: str, domain: str) -> Criterion:
    """The criterion, tried by itself: what fails without the model says nothing about the model."""
    try:
        criterion = Criterion(loss, domain)
    except ImportError as error:
        raise Skipped(errors.sentence(error)) from error
    except ValueError as error:
        if domain not in DOMAINS or not errors.is_deliberate(error):
            raise
        raise Skipped(errors.sentence(error)) from error
    references = torch.rand((2, 2, 1, 999) if domain == "waveform" else (2, 2, 1, 65, 9))
    try:
        criterion.of(references.sum(1))(torch.rand_like(references, requires_grad=True), references).backward()
    except Exception as error:
        raise Skipped(f"{loss} does not take the {domain}: {errors.sentence(error)}") from error
    return criterion


def _value(subject: Subject, model: Separator, criterion: Criterion) -> Tensor:
    batch = subject.batch(2, CHUNK_SECONDS, model)
    value = model.loss(batch, criterion.of(batch.mixture))
    if not isinstance(value, Tensor) or value.dim():
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise Broken(f"loss returned {shape}; the contract is a scalar tensor")
    require_finite(value, "loss")
    if not value.requires_grad:
        raise Broken("the loss has no gradient: something between the parameters and the estimates is detached")
    return value


def optimizer_step(subject: Subject) -> str:
    """One step of Adam on l1: parameters move, and all stays finite."""
    model = subject.build()
    if not model.trainable:
        raise Skipped("it has nothing to train")
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    value = _step(subject, model)
    for name, parameter in model.named_parameters():
        require_finite(parameter, f"parameter {name} after one step")
    if all(torch.equal(before[name], parameter) for name, parameter in model.named_parameters()):
        raise Broken("no parameter moved")
    require_finite(subject.separate(subject.batch(1, CHUNK_SECONDS, model), model), "estimates after one step")
    return f"from a loss of {value:.4g}"


def _step(subject: Subject, model: Separator) -> float:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    value = _value(subject, model.train(), Criterion("l1", model.loss_domains[0]))
    value.backward()
    optimizer.step()
    return value.item()


def checkpoint_round_trip(subject: Subject) -> str:
    """Build it as `msbench fit` does, train it a step, save it as that does, and load it by `msbench.load`."""
    options = recipe_options(subject)
    model = create(subject.entry.name, options)
    if model.trainable:
        _step(subject, model)
    batch = subject.batch(1, CHUNK_SECONDS, model)
    expected = subject.separate(batch, model)
    torch.manual_seed(1)  # another start: what is not in the file comes out otherwise
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ckpt"
        torch.save(checkpoint_of(model), path)
        size = path.stat().st_size
        loaded = load(path)
    away = difference(subject.separate(batch, loaded), expected)
    if not away <= LOAD_TOLERANCE:
        names = [name for name, _ in subject.plain_tensors()]
        known = f", as {', '.join(names)} is not" if names else ""
        raise Broken(
            f"loaded from its checkpoint it gives other estimates (they differ by {away:.1e} of the peak): all that "
            f"they depend on must be an nn.Parameter or a buffer{known}"
        )
    return f"{size / 1e6:.2f} MB"


def recipe_options(subject: Subject) -> dict[str, Any]:
    """The constructor's options as a recipe holds them: written to YAML and read back, tuples as lists.

    Raises:
        Broken: If a default does not fit its own annotation.
    """
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    try:
        parser.add_class_arguments(registry.load("models", subject.entry.name), "separator", fail_untyped=False)
        text = parser.dump(parser.get_defaults())
    except Exception as error:
        raise Broken(f"`msbench fit` cannot read its constructor: {errors.sentence(error)}") from error
    options: dict[str, Any] = (yaml.safe_load(text) or {}).get("separator", {})
    return options


def checkpoint_of(model: Separator) -> dict[str, Any]:
    """What of a checkpoint `msbench.load` reads, as training writes it (tests hold it to `SeparationModule`)."""
    weights = {f"separator.{name}": value for name, value in model.state_dict().items()}
    return {"state_dict": weights, KEY: model.registered}
