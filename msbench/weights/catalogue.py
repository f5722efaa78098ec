"""The catalogs of published weights, read without torch.

A family is an entry point of the group `msbench.weights`: the function that reads its files, or a module alone where
they are checkpoints of `msbench fit`. The YAML of the same name next to that module lists its weights.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from msbench import registry
from msbench.system.bounded import cut
from msbench.system.errors import is_bug, located, sentence
from msbench.system.fields import (
    declared,
    file_name,
    heading,
    list_of,
    mapping_of,
    number_above_zero,
    number_from,
    read_fields,
    read_given,
    refuse,
    setting,
    text,
    whole_number,
)
from msbench.system.names import plain_name
from msbench.system.wording import choices
from msbench.system.yaml_files import read_yaml

_names = list_of(text, "names", "[vocals, drums]", repeats=False)


def _url(value: Any, where: str) -> str:
    address = text(value, where)
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise refuse(where, "an address that begins with https://", value)
    plain_name(unquote(parts.path).rpartition("/")[2], f"field '{where}': the file's name")
    return address


def _sha256(value: Any, where: str) -> str:
    digits = text(value, where)
    if not re.fullmatch("[0-9a-f]{8,64}", digits):
        raise refuse(where, "a SHA-256 in hexadecimal, or 8 or more digits of its beginning", value)
    return digits


@dataclass(frozen=True)
class WeightsFile:
    """One file of a publisher.

    Attributes:
        url: Where it is.
        sha256: In hexadecimal, whole or its beginning, as the publisher gives it; None where the publisher gives none.
        bytes: Its size, where it is known.
    """

    url: str = declared(_url)
    sha256: str | None = declared(_sha256, None)
    bytes: int | None = declared(whole_number(1), None)

    @property
    def name(self) -> str:
        return unquote(urlsplit(self.url).path).rpartition("/")[2]

    def is_published(self, sha256: str) -> bool:
        """Whether a file of this hash may be the publisher's."""
        return self.sha256 is None or sha256.startswith(self.sha256)

    @property
    def hash_words(self) -> str:
        """What is known of the hash, as messages and listings say it."""
        if self.sha256 is None:
            return "no SHA-256 is published"
        return f"SHA-256 {self.sha256}" if len(self.sha256) == 64 else f"SHA-256 begins with {self.sha256}"


@dataclass(frozen=True)
class TrainedOn:
    """What the publisher says that weights were trained on.

    Attributes:
        datasets: {name: its splits}; the name is that of `msbench list datasets` where it is one of these.
        private: Data that nobody else has, in words.
        tracks: In all.
        hours: In all.
    """

    datasets: dict[str, tuple[str, ...]] = declared(
        mapping_of(_names, "splits by dataset", "{musdb18hq: [train]}"), factory=dict
    )
    private: tuple[str, ...] = declared(list_of(heading, "data in words", "[800 songs]"), ())
    tracks: int | None = declared(whole_number(1), None)
    hours: float | None = declared(number_above_zero, None)

    def facts(self) -> dict[str, Any]:
        """The same as the `training` of a record."""
        splits = {name: list(each) for name, each in self.datasets.items()}
        names = [*self.datasets, *self.private]
        return {"datasets": names or None, "splits": splits, "tracks": self.tracks, "hours": self.hours}

    @property
    def words(self) -> str:
        named = [f"{name} ({', '.join(splits)})" if splits else name for name, splits in self.datasets.items()]
        amounts = [f"{value:g} {unit}" for value, unit in ((self.tracks, "tracks"), (self.hours, "hours")) if value]
        return "; ".join([*named, *self.private, *amounts]) or "not stated"


def _trained_on(value: Any, where: str) -> TrainedOn:
    return read_fields(TrainedOn, value, where)


def _file(value: Any, where: str) -> WeightsFile:
    return read_fields(WeightsFile, value, where)


_mix = list_of(
    list_of(number_from(0), "numbers, one per target", "[1, 0, 0, 0]", least=1), "lists of numbers", "[[1, 0]]", least=1
)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Published weights.

    Attributes:
        name: Theirs among all weights.
        family: The entry point that brought them.
        origin: The package that registered it.
        model: The registered model that holds them.
        options: Of its constructor, in addition to those that the files tell.
        files: In the order in which the family's function reads them.
        mix: Where each file is a whole model: weights of their average, a row per file and a number per target.
        chunk_seconds: Length of all chunks of a separation, where the publisher fixes it.
        targets, sample_rate: Of the estimates.
        licence: Of the weights, in the publisher's words.
        citation: What to cite.
        source: Where these facts were read.
        trained_on: None where nobody says.
        note: What else a user has to know.
    """

    name: str
    family: str
    origin: str
    model: str = declared(file_name)
    files: tuple[WeightsFile, ...] = declared(list_of(_file, "files", "[{url: ...}]", least=1))
    targets: tuple[str, ...] = declared(list_of(file_name, "targets", "[vocals]", least=1, repeats=False))
    sample_rate: int = declared(whole_number(1))
    licence: str = declared(heading)
    citation: str = declared(heading)
    source: str = declared(heading)
    options: dict[str, Any] = declared(mapping_of(setting, "options of the model", "{depth: 4}"), factory=dict)
    mix: tuple[tuple[float, ...], ...] = declared(_mix, ())
    chunk_seconds: float | None = declared(number_above_zero, None)
    trained_on: TrainedOn | None = declared(_trained_on, None)
    note: str | None = declared(heading, None)

    @property
    def bytes(self) -> int | None:
        """Of all files, where all are known."""
        sizes = [file.bytes for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)


def known() -> dict[str, Weights]:
    """All weights that can be read, by name, in the order of their families."""
    return {name: each for family in _families().values() if isinstance(family, dict) for name, each in family.items()}


def broken() -> dict[str, str]:
    """{family: why its catalog cannot be read}."""
    return {name: found for name, found in _families().items() if isinstance(found, str)}


def absent() -> dict[str, str]:
    """{name that a publisher has weights of: why msbench has none, and what to take}, of the catalogs that are read."""
    found: dict[str, str] = {}
    for entry in registry.entries("weights").values():
        with contextlib.suppress(ValueError, OSError):
            found |= _content(entry)["absent"]
    return found


def find(name: str) -> Weights:
    """The weights of a name.

    Raises:
        KeyError: If there are none; the message says why not, or gives the nearest names and all names.
    """
    found = known()
    if name in found:
        return found[name]
    if name in (missing := absent()):
        raise KeyError(f"the weights '{name}' are not in msbench: {missing[name]}")
    faults = "".join(f" ({family} cannot be read: {fault})" for family, fault in broken().items())
    raise KeyError(f"unknown weights '{cut(name, 200)}'. {choices(name, found)}{faults}")


def _families() -> dict[str, dict[str, Weights] | str]:
    """{family: its weights, or why they cannot be read}: a stranger's package breaks no other."""
    found: dict[str, dict[str, Weights] | str] = {}
    taken: dict[str, str] = {}
    for entry in registry.entries("weights").values():
        try:
            read = _read(entry)
            twice = next((name for name in read if name in taken), None)
            if twice is not None:
                raise ValueError(f"the weights '{twice}' are also those of '{taken[twice]}': rename one of the two")
        except (ValueError, OSError) as error:
            if is_bug(error):
                raise
            found[entry.name] = sentence(error)
            continue
        taken |= dict.fromkeys(read, entry.name)
        found[entry.name] = read
    return found


def _read(entry: registry.Entry) -> dict[str, Weights]:
    content, found = _content(entry), {}
    with located(str(_path_of(entry))):
        for name, own in content["weights"].items():
            where = f"weights.{name}"
            plain_name(name, f"field '{where}': the name")
            if not isinstance(own, dict):
                raise refuse(where, "fields", own)
            found[name] = _checked(name, entry, {**content["shared"], **own}, where)
        for name, reason in content["absent"].items():
            heading(reason, f"absent.{name}")
    return found


def _content(entry: registry.Entry) -> dict[str, dict[Any, Any]]:
    path = _path_of(entry)
    content = read_yaml(path)
    parts: dict[str, dict[Any, Any]] = {"weights": {}, "shared": {}, "absent": {}}
    known = isinstance(content, dict) and content.keys() <= parts.keys()
    if not known or not all(isinstance(part, dict) for part in content.values()):
        raise ValueError(
            f"{path} must hold `weights:`, fields by name, and may hold `shared:`, fields of all of them, and "
            "`absent:`, by name why there are none"
        )
    return parts | content


def _path_of(entry: registry.Entry) -> Path:
    if entry.error or entry.path is None:
        raise ValueError(entry.error or f"no module {entry.module}")
    return entry.path.with_suffix(".yaml")


def _checked(name: str, entry: registry.Entry, content: dict[str, Any], where: str) -> Weights:
    weights = Weights(name=name, family=entry.name, origin=entry.origin, **read_given(Weights, content, where))
    if weights.mix and [len(row) for row in weights.mix] != [len(weights.targets)] * len(weights.files):
        raise ValueError(f"field '{where}.mix' must have a row for each file, and in it a number for each target")
    if any(not any(column) for column in zip(*weights.mix, strict=True)):
        raise ValueError(f"field '{where}.mix' gives a target no weight at all")
    return weights
