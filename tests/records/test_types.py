"""The types of a record say what its schema says."""

from __future__ import annotations

import json
import types
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from msbench.records import SCHEMA
from msbench.records.types import Record

JSON_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def required(hint: Any) -> set[str]:
    """The keys that a TypedDict must have; its own __required_keys__ cannot read annotations that are text."""
    hints = get_type_hints(hint, include_extras=True)
    return {name for name, inner in hints.items() if hint.__total__ and get_origin(inner) is not NotRequired}


def described(hint: Any) -> dict[str, Any]:
    """What a schema says of a value of this type."""
    if is_typeddict(hint):
        properties = {name: described(inner) for name, inner in get_type_hints(hint).items()}
        return {"type": {"object"}, "required": required(hint), "properties": properties}
    if get_origin(hint) is Literal:
        return {"enum": set(get_args(hint))}
    if get_origin(hint) in (Union, types.UnionType):
        parts = [described(part) for part in get_args(hint)]
        merged = {key: value for part in parts for key, value in part.items()}
        return merged | {"type": set().union(*(part["type"] for part in parts))}
    if get_origin(hint) is dict:
        return {"type": {"object"}}
    if get_origin(hint) is list:
        return {"type": {"array"}, "items": described(get_args(hint)[0])}
    return {"type": {JSON_NAMES[hint]}}


def said(schema: dict[str, Any]) -> dict[str, Any]:
    """The same of a part of the schema."""
    if "enum" in schema:
        return {"enum": set(schema["enum"])}
    if "const" in schema:
        return {"type": {JSON_NAMES[type(schema["const"])]}}
    kinds = schema["type"]
    found: dict[str, Any] = {"type": set(kinds) if isinstance(kinds, list) else {kinds}}
    if "properties" in schema:
        found["required"] = set(schema.get("required", ()))
        found["properties"] = {name: said(inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        found["items"] = said(schema["items"])
    return found


CONTENT = json.loads(SCHEMA.read_text("utf-8"))
HINTS = get_type_hints(Record)


def test_a_record_has_the_fields_of_the_schema() -> None:
    assert set(HINTS) == set(CONTENT["properties"])
    assert required(Record) == set(CONTENT["required"])


# Not `tier`: a file may only claim `reported`, and `completed` gives each record its tier.
@pytest.mark.parametrize("field", sorted(HINTS.keys() - {"tier"}))
def test_a_field_has_the_type_of_the_schema(field: str) -> None:
    assert described(HINTS[field]) == said(CONTENT["properties"][field])
