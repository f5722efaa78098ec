"""What jsonargparse says of a bad field, as one sentence for whoever wrote the recipe."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from typing import NamedTuple

from msbench.system.errors import one_line
from msbench.system.wording import did_you_mean

_UNKNOWN = re.compile(
    r"Group '(?P<group>[\w.]+)' does not accept option '(?P<option>[\w.]+)'"
    r"|Option '(?P<field>[\w.]+)' is not accepted|nrecognized arguments: --(?P<flag>[\w.]+)"
)
_KEY = re.compile(r'Parser key "(?P<key>[\w.]+)": ')  # nested where a field holds the arguments of a class
_VALUE = re.compile(r"(?:Given|Got) value: (?P<value>.*?)(?:\. Got value: .*)?$")
_TYPES = re.compile(r"<class '(?P<kind>[\w.]+)'>|typing\.Literal\[(?P<choices>[^\]]*)\]|\b(?P<of>dict|list)\[")
_WORDS = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "str": "text",
    "NoneType": "null",
}

_EXTRAS = {"bitsandbytes": "adam8bit", "prodigyopt": "prodigy"}  # packages of classes that recipes name


class Fault(NamedTuple):
    """A field that cannot be taken, "" where the parser does not name one, and the sentence about it."""

    field: str
    sentence: str


def fault_of(message: str, known: Iterable[str]) -> Fault:
    """Tell what is wrong with which field.

    Args:
        message: What jsonargparse raised.
        known: The fields that there are.
    """
    text = one_line(message)
    field = ".".join(match["key"] for match in _KEY.finditer(text))
    unknown = _UNKNOWN.search(text)
    if unknown is not None:
        name = unknown["field"] or unknown["flag"] or f"{unknown['group']}.{unknown['option']}"
        if field:  # an argument of the class that this field names
            return Fault(field, f"unknown argument '{name}' of {field}")
        hint = did_you_mean(name, known)
        return Fault(name, f"unknown field '{name}'. {hint}`msbench fit -c RECIPE --help` lists the fields.")
    if not field:
        return Fault("", text)
    return Fault(field, _reason(field, _KEY.split(text)[-1]))


def _reason(field: str, text: str) -> str:
    """The sentence for a value of the wrong type; text that is of no known form stays as it is."""
    given = _VALUE.search(text)
    if given is None:
        return f"field {field}: {text}"
    value = given["value"]
    for package, extra in _EXTRAS.items():
        named = re.search(rf"\b{package}\.[\w.]+", value)
        if named and find_spec(package) is None:
            return f"field {field}: {named[0]} is not installed: pip install 'msbench[{extra}]'"
    if "Callable[" in text:
        detail = re.search(r"callable class: (?P<detail>.*?)\. Got value: ", text)
        why = detail["detail"] if detail else "give its full name, as torch.optim.Adam"
        return f"field {field}: there is no class {value}: {why}"
    subtypes = re.search(r"Subtypes: \[(?P<types>.*)\] Errors: ", text)
    kinds: list[str] = []
    for match in _TYPES.finditer(subtypes["types"] if subtypes else text[: given.start()]):
        choices, kind = match["choices"], match["kind"] or match["of"]
        kinds += [_WORDS.get(kind, kind)] if choices is None else choices.replace("'", "").split(", ")
    kinds = list(dict.fromkeys(kinds))
    if not kinds:
        return f"field {field}: {text}"
    expected = kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} or {kinds[-1]}"
    return f"field {field} must be {expected}, not {value}"
