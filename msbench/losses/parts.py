"""The parts of a loss: registered losses, each with its weight, domain and options."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from torch import Tensor

from msbench import registry
from msbench.losses.functions import domains_of
from msbench.system.bounded import shown
from msbench.system.names import plain_name
from msbench.system.wording import choices

_RESERVED = ("loss", "weight", "domain")  # of a part; all else are options of its loss


@dataclass(frozen=True)
class Part:
    """One term of a weighted sum.

    Attributes:
        name: In the log.
        loss: Name of a registered loss.
        function: The loss with its options.
        weight: Of its value in the sum.
        domain: What it compares.
    """

    name: str
    loss: str
    function: Callable[..., Tensor]
    weight: float
    domain: str

    @property
    def needs_mixture(self) -> bool:
        return getattr(self.plain, "needs_mixture", False)

    @property
    def ignores_gain(self) -> bool:
        return getattr(self.plain, "ignores_gain", False)

    @property
    def plain(self) -> Callable[..., Tensor]:
        """The loss as it is registered, which has its attributes."""
        return self.function.func if isinstance(self.function, partial) else self.function


def parts_of(loss: str | Mapping[str, Any], domain: str, sample_rate: int | None) -> tuple[Part, ...]:
    """The parts of `model.loss`: a name; or for each part its weight, or {weight, loss, domain, options of the loss}.

    Raises:
        KeyError: If a loss is unknown.
        ImportError: If it lacks a package.
        ValueError: If there is no part, or a loss does not take the domain or an option.
    """
    if isinstance(loss, str):
        loss = {loss: 1.0}
    if not loss:
        raise ValueError("model.loss has no parts: name a loss, or give one or more with their weights")
    return tuple(_part(name, given, domain, sample_rate) for name, given in loss.items())


def _part(name: str, given: Any, domain: str, sample_rate: int | None) -> Part:
    plain_name(name, "model.loss: the part")
    fields = dict(given) if isinstance(given, Mapping) else {"weight": given}
    loss, weight, domain = fields.get("loss", name), fields.get("weight", 1.0), fields.get("domain", domain)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        raise ValueError(f"model.loss: the weight of '{name}' must be a number above 0, not {shown(weight)}")
    function = registry.load("losses", loss)
    for module, extra in getattr(function, "requires", {}).items():
        if find_spec(module) is None:
            raise ImportError(f"loss '{loss}' needs {module.replace('_', '-')}: pip install '{extra}'")
    if domain not in domains_of(function):
        raise ValueError(f"loss '{loss}' does not take the {domain}: it takes {', '.join(domains_of(function))}")
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    options = {key: value for key, value in fields.items() if key not in _RESERVED}
    for key in options:
        if key not in known:
            raise ValueError(f"loss '{loss}' has no option '{key}'. {choices(key, [*known, *_RESERVED])}")
    if sample_rate is not None and "sample_rate" in known:
        options = {"sample_rate": sample_rate, **options}
    return Part(name, loss, partial(function, **options) if options else function, float(weight), domain)
