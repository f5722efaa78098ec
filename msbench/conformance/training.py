"""The part of `msbench check` that concerns training: losses, a step, and a checkpoint there and back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from msbench import registry
from msbench.conformance.subject import Broken, Skipped, Subject, difference, require_finite
from msbench.losses.criterion import Criterion, NoMixtureError, mean_loss
from msbench.losses.functions import DOMAINS
from msbench.model.checkpoints import Checkpoint, create, save
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
        losses = [loss for loss in registry.entries("losses") if domain in DOMAINS or _takes(loss, domain)]
        if not losses:
            yield f"losses on the {domain}", partial(_no_loss, domain=domain)
        for loss in losses:
            yield f"loss {loss} on the {domain}", partial(_loss, loss=loss, domain=domain)


def _untrainable(subject: Subject) -> str:
    raise Skipped("it has nothing to train")


def _no_loss(subject: Subject, domain: str) -> str:
    raise Broken(f"no registered loss takes the {domain}, which is in its loss_domains")


def _takes(loss: str, domain: str) -> bool:
    try:
        Criterion(loss, domain)
    except (ValueError, ImportError):
        return False
    return True


def _loss(subject: Subject, loss: str, domain: str) -> str:
    criterion = _criterion(loss, domain)
    model = subject.model.train()
    model.zero_grad()
    try:
        value = _value(subject, model, criterion)
    except NoMixtureError as error:
        raise Skipped(errors.sentence(error)) from error
    if model.own_training:  # then `loss` is for validation
        return f"{value.item():.4g}"
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
        if not errors.is_deliberate(error):
            raise
        raise Skipped(errors.sentence(error)) from error
    if domain not in DOMAINS:  # only the model knows what its own domain looks like
        return criterion
    references = torch.rand((2, 2, 1, 999) if domain == "waveform" else (2, 2, 1, 65, 9))
    try:
        criterion.of(references.sum(1))(torch.rand_like(references, requires_grad=True), references).backward()
    except Exception as error:
        raise Skipped(f"{loss} does not take the {domain}: {errors.sentence(error)}") from error
    return criterion


def _value(subject: Subject, model: Separator, criterion: Criterion) -> Tensor:
    batch = subject.batch(2, CHUNK_SECONDS, model)
    value = _scalar(model.loss(batch, criterion.of(batch.mixture)), "loss")
    if not value.requires_grad and not model.own_training:
        raise Broken("the loss has no gradient: something between the parameters and the estimates is detached")
    return value


def _scalar(losses: Any, method: str) -> Tensor:
    """The mean of what a method of the model returned as losses.

    Raises:
        Broken: If they are no scalars, or not finite.
    """
    for value in losses.values() if isinstance(losses, Mapping) and losses else [losses]:
        if not isinstance(value, Tensor) or value.dim():
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise Broken(f"{method} returned {shape}; the contract is a scalar tensor, or a dict of them")
        require_finite(value, method)
    return mean_loss(losses)


def optimizer_step(subject: Subject) -> str:
    """A look at the songs, and a step of Adam or of the model's own training: weights move, and all stays finite."""
    model = subject.build()
    if not model.trainable:
        raise Skipped("it has nothing to train")
    with torch.no_grad():
        model.prepare([subject.batch(2, CHUNK_SECONDS, model)])
    before = {name: tensor.clone() for name, tensor in _learned(model).items()}
    value = _step(subject, model)
    for name, tensor in _learned(model).items():
        require_finite(tensor, f"{name} after one step")
    if all(torch.equal(before[name], tensor) for name, tensor in _learned(model).items()):
        raise Broken("no buffer moved" if not before.keys() & dict(model.named_parameters()) else "no parameter moved")
    require_finite(subject.separate(subject.batch(1, CHUNK_SECONDS, model), model), "estimates after one step")
    return f"from a loss of {value:.4g}"


def _learned(model: Separator) -> dict[str, Tensor]:
    """What training changes: the parameters, and the buffers too where the model brings its own training."""
    if model.own_training:
        return {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def _step(subject: Subject, model: Separator) -> float:
    build = partial(torch.optim.Adam, lr=1e-3)
    criterion = first_criterion(model)
    if model.own_training:
        batch = subject.batch(2, CHUNK_SECONDS, model)
        losses = model.train().train_on(batch, criterion.of(batch.mixture), model.optimizers(build))
        return _scalar(losses, "train_on").item()
    optimizer = build(model.parameters())
    value = _value(subject, model.train(), criterion)
    value.backward()
    optimizer.step()
    return value.item()


def first_criterion(model: Separator) -> Criterion:
    """L1 in the model's first domain; where that is one of its own, the first loss that takes it.

    Raises:
        Broken: If no registered loss does.
    """
    domain = model.loss_domains[0]
    for loss in sorted(registry.entries("losses"), key=lambda name: name != "l1"):
        if _takes(loss, domain):
            return Criterion(loss, domain)
    raise Broken(f"no registered loss takes the {domain}, which is in its loss_domains")


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
        save(model, path)
        size = path.stat().st_size
        loaded = Checkpoint.read(path).separator()
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
        text = parser.dump(parser.parse_object({"separator": dict(subject.given)}))
    except Exception as error:
        raise Broken(f"`msbench fit` cannot read its constructor: {errors.sentence(error)}") from error
    options: dict[str, Any] = (yaml.safe_load(text) or {}).get("separator", {})
    return options
