"""An entry of a suite's `models`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msbench.runs.levels import NETWORKS, Level, factors
from msbench.runs.resources import some_resources
from msbench.runs.settings import inference_settings, settings
from msbench.system.fields import declared, file_name, list_of, mapping_of, read_given, refuse, setting, text


def baseline(value: Any, where: str) -> str | dict[str, Any]:
    """The kind of `baseline`: a label, or values of factors."""
    if isinstance(value, str):
        return text(value, where)
    if not isinstance(value, dict) or not value:
        raise refuse(where, "the label of a cell, or values of factors, as {separator.depth: 6}", value)
    found: dict[str, Any] = mapping_of(setting, "values of factors", "{separator.depth: 6}")(value, where)
    return found


def scenario(value: Any, where: str) -> tuple[str, ...]:
    """The kind of `scenario`: targets to score once more; none of an entry that cannot have what its suite asks for."""
    found: tuple[str, ...] = list_of(
        file_name, "two targets or more, or []", "[vocals, accompaniment]", least=0 if value == [] else 2, repeats=False
    )(value, where)
    return found


@dataclass(frozen=True)
class ModelEntry:
    """One entry of a suite's `models`, or one cell of an entry that sweeps.

    Attributes:
        bare: An entry that is one name, which may be a recipe or a model.
        where: Its place in the file, for messages.
        factors: What tells it from the other entries of its study.
    """

    recipe: str | None = declared(text, None)
    model: str | None = declared(text, None)
    checkpoint: str | None = declared(text, None)
    weights: str | None = declared(file_name, None)  # published ones, by name
    label: str | None = declared(file_name, None)
    study: str | None = declared(file_name, None)
    sweep: dict[str, tuple[Level, ...]] = declared(factors, factory=dict)
    zip: dict[str, tuple[Level, ...]] = declared(factors, factory=dict)
    baseline: str | dict[str, Any] | None = declared(baseline, None)
    set: dict[str, Any] = declared(settings, factory=dict)
    inference: dict[str, Any] = declared(inference_settings, factory=dict)
    scenario: tuple[str, ...] | None = declared(scenario, None)
    resources: dict[str, Any] = declared(some_resources, factory=dict)
    bare: str | None = None
    where: str = ""
    factors: dict[str, Level] = field(default_factory=dict)

    @property
    def swept(self) -> dict[str, tuple[Level, ...]]:
        """All factors that the entry varies."""
        return {**self.sweep, **self.zip}

    @property
    def own_label(self) -> str:
        """Its label, or else that of its recipe or model."""
        return self.label or (Path(self.recipe).stem if self.recipe else self.network)

    @property
    def network(self) -> str:
        """The name of its model or of its weights, where it has no recipe."""
        return self.model or self.weights or self.bare or ""


def model_entry(value: Any, where: str) -> ModelEntry:
    """The kind of an entry of `models`."""
    if isinstance(value, str):
        return ModelEntry(bare=text(value, where), where=where)
    if not isinstance(value, dict):
        raise refuse(where, "the name of a recipe or a model, or fields, as {recipe: unet_small}", value)
    entry = ModelEntry(**read_given(ModelEntry, value, where), where=where)
    swept = {key for levels in entry.swept.values() for level in levels for key in level.sets}
    others = [name for name in ("recipe", "model", "checkpoint") if getattr(entry, name) is not None]
    others += [name for name in NETWORKS if name in swept]
    if entry.weights is not None and others:
        raise ValueError(f"field '{where}' has `weights` and `{others[0]}`: published weights come with their model")
    if entry.recipe is None and not entry.network and swept.isdisjoint(NETWORKS):
        given = ", ".join(value) or "no field"
        raise ValueError(f"field '{where}' needs `recipe:`, `model:` or `weights:`, and has {given}")
    return entry
