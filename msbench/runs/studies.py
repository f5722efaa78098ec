"""Studies: cells of a suite that differ in chosen factors, and the cell that the others are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from msbench.runs.levels import Level, canonical, level_of
from msbench.runs.model_entry import ModelEntry
from msbench.runs.sweeps import settings_of
from msbench.system.fields import shown
from msbench.system.names import plain_name
from msbench.system.wording import counted, did_you_mean


@dataclass(frozen=True)
class Study:
    """Rows of a board that differ in chosen factors.

    Attributes:
        name: Its name.
        cells: {label: {factor: value}} in the suite's order. A value is text, a number, a truth value or None; where
            the suite gives values names, it is the name. A cell lacks the factors that do not concern it.
        baseline: The label that the others are compared with.
    """

    name: str
    cells: dict[str, dict[str, Any]]
    baseline: str

    @property
    def factors(self) -> tuple[str, ...]:
        """The names of all factors, in the suite's order."""
        return tuple(dict.fromkeys(factor for cell in self.cells.values() for factor in cell))


def with_factors(entries: Sequence[ModelEntry]) -> list[ModelEntry]:
    """The entries, those written by hand with the values that they have of the factors of their study.

    The factors of a study without a sweep are the settings in which its entries differ.
    """
    factors = {name: _factors_of(members) for name, members in _members(entries).items()}
    return [
        entry if entry.factors or entry.study is None else replace(entry, factors=_values(entry, factors[entry.study]))
        for entry in entries
    ]


def studies_of(entries: Sequence[ModelEntry]) -> tuple[Study, ...]:
    """The studies of expanded entries.

    Raises:
        ValueError: If one has a single cell, or its baseline is not one of its cells.
    """
    found = []
    for name, members in _members(entries).items():
        plain_name(name, f"field '{members[0].where}': the study")
        if len(members) == 1:
            raise ValueError(
                f"field '{members[0].where}': the study {shown(name)} has one cell alone: sweep several values, or "
                "give the same `study:` to another entry"
            )
        cells = {each.own_label: {key: level.value for key, level in each.factors.items()} for each in members}
        found.append(Study(name, cells, _baseline(name, members)))
    return tuple(found)


def _members(entries: Sequence[ModelEntry]) -> dict[str, list[ModelEntry]]:
    found: dict[str, list[ModelEntry]] = {}
    for entry in entries:
        if entry.study is not None:
            found.setdefault(entry.study, []).append(entry)
    return found


def _factors_of(members: Sequence[ModelEntry]) -> list[str]:
    swept = list(dict.fromkeys(key for entry in members for key in entry.factors))
    if swept:
        return swept
    held = [settings_of(entry) for entry in members]
    keys = dict.fromkeys(key for each in held for key in each)
    return [key for key in keys if len({canonical(each[key]) if key in each else None for each in held}) > 1]


def _values(entry: ModelEntry, factors: Sequence[str]) -> dict[str, Level]:
    held = settings_of(entry)
    return {key: level_of(key, held[key]) for key in factors if key in held}


def _baseline(study: str, members: Sequence[ModelEntry]) -> str:
    """The label of a study's baseline: its first cell where no entry names one."""
    named = {each.where: each.baseline for each in members if each.baseline is not None}
    if not named:
        return members[0].own_label
    (where, wanted), *others = named.items()
    if others:
        raise ValueError(f"field '{others[0][0]}.baseline': the study {shown(study)} has one in {where} already")
    where, labels = f"field '{where}.baseline'", [each.own_label for each in members]
    if isinstance(wanted, str):
        if wanted not in labels:
            hint = did_you_mean(wanted, labels) or f"Its cells are {shown(labels)}"
            raise ValueError(f"{where}: the study {shown(study)} has no cell {shown(wanted)}. {hint}".rstrip())
        return wanted
    factors = list(dict.fromkeys(key for each in members for key in each.factors))
    for key in wanted:
        if key not in factors:
            raise ValueError(f"{where}: {key} is no factor. {did_you_mean(key, factors)}They are {', '.join(factors)}")
    fitting = [each.own_label for each in members if all(_fits(each, key, value) for key, value in wanted.items())]
    if len(fitting) != 1:
        missing = ", ".join(factor for factor in factors if factor not in wanted)
        fix = f": add {missing}" if fitting and missing else "" if fitting else f": its cells are {shown(labels)}"
        raise ValueError(f"{where} fits {counted(len(fitting), 'cell')} of the study {shown(study)}{fix}")
    return fitting[0]


def _fits(entry: ModelEntry, key: str, value: Any) -> bool:
    level = entry.factors.get(key)
    if level is None:
        return False
    same = {canonical(level.value), canonical(level.sets.get(key, level.value))}
    return canonical(value) in same or (level.name is not None and value == level.name)
