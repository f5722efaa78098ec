"""JSON from strangers: read without the leniencies of the standard library, and lines for what is wrong in it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import yaml

from msbench.system import bounded

_MAY_BE_HUGE = re.compile(r"(?<=[\s:,\[-])\d+(\.\d+)?[eE]\+?\d{3}|\d{300}")  # few texts are walked for such
MOST_TO_COMPOSE = 400_000  # values of a text whose lines are told; each takes a kilobyte meanwhile
DEEPEST = 32  # levels; what is shown and hashed later walks them all
_LONGEST_WITH_LINES = 4_000_000  # characters: the reader that knows lines takes seconds for them


def parse(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: If it is not JSON, a key comes twice in one object, a number is NaN or infinite, text holds half of
            a surrogate pair, or values lie more than `DEEPEST` levels deep; the message names the line where it can.
    """
    bounded.check_json(text, DEEPEST)
    try:
        content = json.loads(
            text, object_pairs_hook=_without_twins, parse_constant=_refuse_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from error
    except _TwiceError as error:
        line = _line_of_twin(_composed(text))
        raise ValueError(f"{_at(line)}the key {bounded.shown(error.key)} comes twice") from error
    if _MAY_BE_HUGE.search(text):
        _check_numbers(content)
    if "\\u" in text:  # nothing else can stand for half of a pair
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = error.object[max(0, error.start - 20) : error.end]
            raise ValueError(f"the text {half!r} holds half of a surrogate pair") from error
    return content


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line (from 1) of a value in a JSON text, or of what lies nearest above it; None where that is not known."""
    node = _composed(text)
    if node is None:
        return None
    for step in path:
        inner = None
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            inner = node.value[step]
        if inner is None:
            break
        node = inner
    return int(node.start_mark.line) + 1


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:  # Python's limit, lest a long one takes minutes
        raise ValueError(f"a number of {len(digits)} digits is too long to be read") from error


class _TwiceError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        raise _TwiceError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return made


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON: write null, with a reason")


def _check_numbers(content: Any) -> None:
    """Refuse numbers that no float holds: Python reads 1e999 as infinite, and 400 digits as an integer."""
    if isinstance(content, dict | list):
        for value in content.values() if isinstance(content, dict) else content:
            _check_numbers(value)
    elif isinstance(content, int | float) and not -sys.float_info.max <= content <= sys.float_info.max:
        raise ValueError("a number beyond what a float holds is not a finite number")


def _composed(text: str) -> Any:
    """The text's nodes with their lines: JSON is YAML, whose reader keeps them."""
    if len(text) > _LONGEST_WITH_LINES:
        return None
    try:
        bounded.check_yaml(text, MOST_TO_COMPOSE)
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _line_of_twin(node: Any) -> int | None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                return int(key.start_mark.line) + 1
            seen.add(key.value)
            if (line := _line_of_twin(value)) is not None:
                return line
    elif isinstance(node, yaml.SequenceNode):
        return next((line for value in node.value if (line := _line_of_twin(value)) is not None), None)
    return None


def _at(line: int | None) -> str:
    return "" if line is None else f"line {line}: "
