"""Sweeps: an entry of a suite's `models` that stands for several, one per combination of the levels of its factors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from msbench.runs.levels import Level, canonical, level_of
from msbench.runs.model_entry import ModelEntry
from msbench.runs.settings import INFERENCE
from msbench.system.fields import shown
from msbench.system.wording import did_you_mean

Axis = list[dict[str, Level]]  # the levels of one factor, or those of several in step
_BRACES = re.compile(r"\{([^{}]*)\}")


def size(entry: ModelEntry) -> int:
    """How many entries an entry stands for; nothing is expanded to know it."""
    steps = max((len(levels) for levels in entry.zip.values()), default=1)
    return prod(len(levels) for levels in entry.sweep.values()) * steps


def expand(entry: ModelEntry) -> list[ModelEntry]:
    """The entries without `sweep` and `zip` that an entry stands for, the last factor changing fastest.

    Raises:
        ValueError: If factors set the same setting, `zip` has lists of different lengths, a level comes twice, or the
            label is that of two cells.
    """
    if not entry.swept:
        return [entry]
    _check_keys(entry)
    network = Path(entry.recipe).stem if entry.recipe else entry.network
    if entry.study is None and not network:
        raise ValueError(
            f"field '{entry.where}' sweeps its recipe or model, so its study needs a name: add `study: NAME`"
        )
    entry = replace(entry, study=entry.study or network)
    made = [
        _cell(entry, {key: level for step in steps for key, level in step.items()}) for steps in product(*_axes(entry))
    ]
    labels = list(_labels(entry, made))
    label, count = Counter(labels).most_common(1)[0]
    if count > 1:
        differs = ", ".join(f"{{{key}}}" for key in entry.swept)
        raise ValueError(f"field '{entry.where}.label': {count} cells are called {shown(label)}: name in it {differs}")
    return [replace(each, label=label) for each, label in zip(made, labels, strict=True)]


def _axes(entry: ModelEntry) -> list[Axis]:
    axes = [[{key: level} for level in levels] for key, levels in entry.sweep.items()]
    for (key, _), axis in zip(entry.sweep.items(), axes, strict=True):
        _refuse_repeats(axis, f"{entry.where}.sweep.{key}")
    if entry.zip:
        lengths = {key: len(levels) for key, levels in entry.zip.items()}
        if len(set(lengths.values())) > 1:
            each = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            raise ValueError(
                f"field '{entry.where}.zip' goes through lists in step, and they are not of one length: {each}"
            )
        steps = zip(*entry.zip.values(), strict=True)
        axes.append([dict(zip(entry.zip, step, strict=True)) for step in steps])
        _refuse_repeats(axes[-1], f"{entry.where}.zip")
    return axes


def _refuse_repeats(axis: Axis, where: str) -> None:
    seen = set()
    for step in axis:
        text = canonical([level.sets for level in step.values()])
        if text in seen:
            held = [level.value for level in step.values()]
            raise ValueError(f"field '{where}' has {shown(held[0] if len(held) == 1 else held)} twice: once is enough")
        seen.add(text)


def _check_keys(entry: ModelEntry) -> None:
    """Refuse a setting that is given in two places."""
    places = {key: "set" for key in entry.set} | {f"{INFERENCE}{key}": "inference" for key in entry.inference}
    places |= {key: key for key in ("recipe", "model") if getattr(entry, key) is not None}
    for field in ("sweep", "zip"):
        for factor, levels in getattr(entry, field).items():
            place = f"{field}.{factor}"
            for key in dict.fromkeys(key for level in levels for key in level.sets):
                if places.setdefault(key, place) != place:
                    raise ValueError(
                        f"field '{entry.where}': {key} stands in `{places[key]}` and in `{place}`: leave one out"
                    )


def _cell(entry: ModelEntry, chosen: dict[str, Level]) -> ModelEntry:
    """The entry at one level of each factor, without a label of its own yet."""
    sets = {key: value for level in chosen.values() for key, value in level.sets.items()}
    recipe, model = sets.pop("recipe", entry.recipe), sets.pop("model", entry.model)
    inference = {key: sets.pop(key) for key in [*sets] if key.startswith(INFERENCE)}
    made = replace(
        entry,
        recipe=recipe,
        model=model,
        sweep={},
        zip={},
        set={**entry.set, **sets},
        inference={
            **entry.inference,
            **{key.removeprefix(INFERENCE): value for key, value in inference.items() if value is not None},
        },
        factors=chosen,
    )
    if recipe is None and model is None and entry.weights is None:
        told = ", ".join(f"{key} {level.value}" for key, level in chosen.items())
        raise ValueError(f"field '{entry.where}' has neither a recipe nor a model at {shown(told)}")
    return made


def _labels(entry: ModelEntry, cells: Iterable[ModelEntry]) -> Iterator[str]:
    """The label of each cell of an entry that sweeps."""
    if entry.label is None:
        names = _short_names([*entry.swept])
        for cell in cells:
            yield _default_label(entry, cell, names)
        return
    *parts, end = _BRACES.split(entry.label)  # text, key, text, key, ...
    for cell in cells:
        yield "".join((_named(entry, cell, part) if i % 2 else part) for i, part in enumerate(parts)) + end


def _named(entry: ModelEntry, cell: ModelEntry, key: str) -> str:
    """What stands in a label in the place of a key in braces."""
    if key in cell.factors:
        return _name_of(entry, key, cell.factors[key])
    held = settings_of(cell)
    if key not in held:
        known = [*cell.factors, *held]
        raise ValueError(
            f"field '{entry.where}.label': {{{key}}} is neither swept nor set. {did_you_mean(key, known)}"
            f"It may name {', '.join(known)}"
        )
    return _name_of(entry, key, level_of(key, held[key]))


def settings_of(entry: ModelEntry) -> dict[str, Any]:
    """All that an entry sets, by dotted name."""
    networks = {"recipe": entry.recipe, "model": entry.model}
    inference = {f"{INFERENCE}{key}": value for key, value in entry.inference.items()}
    return {**entry.set, **inference, **{key: value for key, value in networks.items() if value is not None}}


def _default_label(entry: ModelEntry, cell: ModelEntry, names: dict[str, str]) -> str:
    """ "unet_small-depth3-skip_true": the network, and each factor by the last word of its name."""
    network = "recipe" if cell.recipe else "model"
    first = _name_of(entry, network, cell.factors.get(network) or level_of(network, cell.recipe or cell.network))
    parts = [first]
    for key, level in cell.factors.items():
        if key != network:
            is_number = isinstance(level.value, int | float) and not isinstance(level.value, bool)
            parts.append(f"{names[key]}{'' if is_number else '_'}{_name_of(entry, key, level)}")
    return "-".join(parts)


def _short_names(keys: list[str]) -> dict[str, str]:
    """Of each dotted name the last words that tell it from the others."""
    found = {}
    for key in keys:
        words = key.split(".")
        ends = (".".join(words[-count:]) for count in range(1, len(words) + 1))
        found[key] = next((end for end in ends if not any(_ends(other, end) for other in keys if other != key)), key)
    return found


def _ends(key: str, end: str) -> bool:
    return key == end or key.endswith(f".{end}")


def _name_of(entry: ModelEntry, key: str, level: Level) -> str:
    if level.name is None:
        raise ValueError(
            f"field '{entry.where}': the label cannot hold {shown(level.value)} of {key}: give each value a name, as "
            f"{key}: {{NAME: {shown(level.value)}}}"
        )
    return level.name
