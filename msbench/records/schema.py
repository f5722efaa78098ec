"""The schema of records, which is published with the project, and the scores that every record has."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

METRICS = ("SDR", "ISR", "SIR", "SAR")  # BSSEval's, in the order of its arrays; others stand under their own ids
SCHEMA = Path(__file__).with_name("record.schema.json")


@cache
def schema() -> dict[str, Any]:
    """The whole schema."""
    return dict(json.loads(SCHEMA.read_text("utf-8")))


@cache
def validator(part: str | None = None) -> Any:
    """Of a whole record, or of what one of the schema's definitions asks for in addition."""
    from jsonschema import Draft202012Validator  # takes longer to import than most commands run

    whole = schema()
    return Draft202012Validator(whole if part is None else whole["$defs"][part])
