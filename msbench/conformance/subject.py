"""The model under `msbench check`, and the signals that it is given."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from msbench import registry
from msbench.model.checkpoints import create
from msbench.model.separator import Batch, Separator, separate_batch
from msbench.registry.entries import Entry


class Broken(Exception):
    """The contract is broken, in one sentence."""


class Skipped(Exception):
    """The check says nothing about this model, for this reason."""


class Subject:
    """A registered model while it is checked; `model` is set once it has been built."""

    model: Separator

    def __init__(self, entry: Entry, given: Mapping[str, Any] | None = None) -> None:
        self.entry = entry
        self.given = given or {}
        self.options: Mapping[str, inspect.Parameter] = {}

    def load(self) -> None:
        """Import the plugin.

        Raises:
            Broken: If it is not a subclass of `Separator`.
            ImportError: If it does not import.
        """
        plugin = registry.load("models", self.entry.name)
        if not (isinstance(plugin, type) and issubclass(plugin, Separator)):
            raise Broken(f"{self.entry.attribute} is no subclass of msbench.Separator")
        self.options = inspect.signature(plugin).parameters

    def build(self, **options: Any) -> Separator:
        """A new model with its default options, but for those given here or to the check."""
        required = [
            name
            for name, parameter in self.options.items()
            if parameter.default is parameter.empty
            and name not in self.given
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        if required:
            raise Broken(f"its constructor must have a default for every argument, and has none for {required[0]}")
        return create(self.entry.name, {**self.given, **options})

    def batch(self, items: int, seconds: float, model: Separator | None = None) -> Batch:
        """Noise: references of all targets, and a mixture that holds one source more than these."""
        model = model or self.model
        samples = max(1, round(seconds * model.sample_rate))
        sources = 0.1 * torch.randn(items, len(model.targets) + 1, model.channels, samples)
        return Batch(sources.sum(1), sources[:, :-1].contiguous())

    def separate(self, batch: Batch, model: Separator | None = None) -> Tensor:
        """Estimates (B, S, C, T) in evaluation mode, as `msbench separate` has them; oracles get the references."""
        model = model or self.model
        model.eval()
        with torch.inference_mode():
            return separate_batch(model, batch.mixture, batch.references if model.needs_references else None)

    def plain_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Tensors that are attributes, but neither parameters nor buffers: they are not saved, and stay on a device."""
        for prefix, module in self.model.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Tensor):
                    yield f"{prefix}.{name}" if prefix else name, value


def difference(estimates: Tensor, expected: Tensor) -> float:
    """The largest difference of two samples, as a share of the largest expected one; NaN where either is NaN."""
    peak = expected.abs().max().clamp_min(torch.finfo(expected.dtype).tiny)
    return float((estimates - expected).abs().max() / peak)


def require_finite(values: Tensor, name: str) -> None:
    """Raise `Broken` if a value is NaN or infinite."""
    wrong = int((~torch.isfinite(values)).sum())
    if wrong:
        raise Broken(f"{wrong} of {values.numel()} values are NaN or infinite in the {name}")
