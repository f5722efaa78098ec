"""The fields of our YAML files: a dataclass declares them once, with what each may hold, and reads them.

A kind is a function of a value and the path of its field, as `models[2].set`. It returns the value that the dataclass
keeps, or raises a ValueError that names the field, what it may hold and what was given.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Hashable
from dataclasses import MISSING, field, fields
from typing import Any, TypeVar

import yaml

from msbench.system import bounded
from msbench.system.errors import one_line, sentence
from msbench.system.names import plain_name
from msbench.system.wording import did_you_mean

T = TypeVar("T")
Kind = Callable[[Any, str], Any]
LONGEST = 80  # characters of a value that a message shows
LONGEST_TEXT = 4096  # letters; systems end paths there
CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of control characters, half characters and line breaks
LONGEST_KEY = 200  # letters of a key of a mapping
LARGEST = 2**63 - 1  # whole number that every library takes


def declared(kind: Kind, default: Any = MISSING, factory: Any = MISSING) -> Any:
    """A dataclass field of a kind; one without a default must be in the file."""
    metadata = {"kind": kind}
    return (
        field(default=default, metadata=metadata)
        if factory is MISSING
        else field(default_factory=factory, metadata=metadata)
    )


def read_fields(cls: type[T], content: Any, where: str = "") -> T:
    """Make a dataclass of declared fields from what YAML gave. A field left empty keeps its default.

    Args:
        cls: The dataclass.
        content: What stands in the file.
        where: Path of the field that holds the content; empty for a whole file.

    Raises:
        ValueError: If a field is unknown, absent or of the wrong type.
    """
    return cls(**read_given(cls, content, where))


def read_given(cls: type[Any], content: Any, where: str = "") -> dict[str, Any]:
    """The fields of a dataclass that are given, each read by its kind.

    Raises:
        ValueError: As `read_fields`.
    """
    kinds = {each.name: each for each in fields(cls) if "kind" in each.metadata}
    if not isinstance(content, dict):
        raise ValueError(f"{_subject(where)} must hold fields ({', '.join(kinds)}), not {shown(content)}")
    prefix = f"{where}." if where else ""
    for key in content:
        if key not in kinds:
            name = bounded.cut(key, LONGEST) if isinstance(key, str) else shown(key)
            raise ValueError(
                f"unknown field '{prefix}{name}'. {did_you_mean(name, kinds)}The fields are {', '.join(kinds)}"
            )
    found = {}
    for name, each in kinds.items():
        must = each.default is MISSING and each.default_factory is MISSING
        if must or content.get(name) is not None:
            found[name] = each.metadata["kind"](content.get(name), f"{prefix}{name}")
    return found


def refuse(where: str, may_be: str, value: Any) -> ValueError:
    """The error of a field that holds what it may not."""
    return ValueError(f"{_subject(where)} must be {may_be}, not {shown(value)}")


def shown(value: Any) -> str:
    """A value as a message shows it."""
    return "nothing" if value is None else one_line(bounded.shown(value), LONGEST)


def _subject(where: str) -> str:
    return f"field '{where}'" if where else "the file"


def text(value: Any, where: str) -> str:
    """Text in one line. YAML takes `no`, `7` and `2024-01-01` for a truth value, a number and a date (`read_yaml`)."""
    if not isinstance(value, str):
        fix = "" if value is None or isinstance(value, list | dict) else ": put it in quotes"
        raise ValueError(f"{_subject(where)} must be text, not {shown(value)}{fix}")
    if not value.strip():
        raise refuse(where, "text that is not empty", value)
    if len(value) > LONGEST_TEXT or any(unicodedata.category(letter) in CONTROLS for letter in value):
        raise refuse(where, f"text without control characters, of at most {LONGEST_TEXT} letters", value)
    return value


def heading(value: Any, where: str) -> str:
    """Text that people read; the line breaks that YAML's blocks leave in it are spaces."""
    return text(" ".join(value.split()) if isinstance(value, str) else value, where)


def file_name(value: Any, where: str) -> str:
    """Text that is the name of one file or folder."""
    return plain_name(text(value, where), _subject(where))


def word(value: Any, where: str) -> str:
    """Text, also none, or a number that is meant as text: the account `1234` of a cluster."""
    return str(value) if type(value) is int or value == "" else text(value, where)


def shell_lines(value: Any, where: str) -> str:
    """Lines of a shell script, which come into the script as they are."""
    for line in value.splitlines() if isinstance(value, str) else [value]:
        if line != "":
            word(line.replace("\t", " ") if isinstance(line, str) else line, where)
    return str(value)


def flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise refuse(where, "true or false", value)
    return value


def whole_number(least: int, most: int | None = None) -> Kind:
    """A whole number within bounds."""
    may_be = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"

    def read(value: Any, where: str) -> int:
        if type(value) is not int or not least <= value <= (LARGEST if most is None else most):
            raise refuse(where, may_be, value)
        return value

    return read


def number_from(least: float, most: float | None = None, above: bool = False) -> Kind:
    """A number within bounds; `above` leaves the least itself out."""
    if above:
        may_be = f"a number above {least}" + ("" if most is None else f", up to {most}")
    else:
        may_be = f"a number of at least {least}" if most is None else f"a number from {least} to {most}"

    def read(value: Any, where: str) -> float:
        is_number = type(value) in (int, float)
        if not (is_number and least <= value <= (LARGEST if most is None else most)):  # NaN is in no range
            raise refuse(where, may_be, value)
        if above and value == least:
            raise refuse(where, may_be, value)
        number: float = value
        return number

    return read


number_above_zero = number_from(0, above=True)


def one_of(*choices: str) -> Kind:
    """One of some words."""

    def read(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in choices:
            hint = f". {did_you_mean(value if isinstance(value, str) else '', choices)}".rstrip(". ")
            raise ValueError(f"field '{where}' must be one of {', '.join(choices)}, not {shown(value)}{hint}")
        chosen: str = value
        return chosen

    return read


def list_of(kind: Kind, what: str, example: str, least: int = 0, repeats: bool = True) -> Kind:
    """A list, kept as a tuple.

    Args:
        kind: Of its elements.
        what: What it is a list of, in the plural.
        example: A list, as YAML.
        least: The fewest elements.
        repeats: Whether one may come twice.
    """
    may_be = f"a list of {'at least one of ' if least == 1 else ''}{what}, as {example}"

    def read(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise refuse(where, may_be, value)
        found = tuple(kind(each, f"{where}[{i}]") for i, each in enumerate(value))
        twice = None if repeats else _first_repeated(found)
        if twice is not None:
            raise ValueError(f"field '{where}' lists {shown(twice)} twice: once is enough")
        return found

    return read


def mapping_of(kind: Kind, what: str, example: str) -> Kind:
    """A mapping whose keys are text."""

    def read(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refuse(where, f"{what}, as {example}", value)
        for key in value:
            if not isinstance(key, str) or not key.strip() or len(key) > LONGEST_KEY or not key.isprintable():
                raise ValueError(f"field '{where}' must be {what}, as {example}: {shown(key)} is no key of it")
        return {key: kind(each, f"{where}.{key}") for key, each in value.items()}

    return read


def setting(value: Any, where: str) -> Any:
    """What JSON can hold too: dates are refused, as they would not reach the command that they are meant for."""
    if isinstance(value, list):
        for i, each in enumerate(value):
            setting(each, f"{where}[{i}]")
    elif isinstance(value, dict):
        mapping_of(setting, "a mapping of settings", "{a: 1}")(value, where)
    elif not (value is None or isinstance(value, str | int | float)):
        raise refuse(where, "text, a number, true, false, a list or a mapping (a date wants quotes)", value)
    elif isinstance(value, str):
        _check_command_text(value, where)
    return value


def _check_command_text(value: str, where: str) -> None:
    """A setting reaches the command that trains as a flag, whose text is read as YAML once more."""
    try:
        bounded.check_yaml(value)
    except ValueError as error:
        raise ValueError(f"{_subject(where)}: {sentence(error)}") from error
    except yaml.YAMLError:
        pass  # text that is no YAML is text


def _first_repeated(values: tuple[Hashable, ...]) -> Hashable | None:
    return next((each for i, each in enumerate(values) if each in values[:i]), None)
