"""Records: one JSON file a result, with what is needed to trust it and to make it again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from msbench.records import strict_json
from msbench.records.metric_id import MetricId
from msbench.records.types import Record
from msbench.system import errors
from msbench.system.bounded import cut, read_text, shown
from msbench.system.files import write_json

SCHEMA_VERSION = 1
METRICS = ("SDR", "ISR", "SIR", "SAR")  # BSSEval's, in the order of its arrays; others stand under their own ids
METRICS_SET = frozenset(METRICS)
SCHEMA = Path(__file__).with_name("record.schema.json")
LONGEST_SAID = 300  # characters of a message
TIERS = ("measured", "unverified", "reported")  # how far a row can be trusted


def tier_of(record: Mapping[str, Any]) -> str:
    """`reported` by a paper or a campaign; `unverified` where a field is missing that the number rests on."""
    if record.get("tier") in TIERS:  # a record of ours cannot say so of itself: the schema allows `reported` alone
        return str(record["tier"])
    return "unverified" if lacking(record) else "measured"


def lacking(record: Mapping[str, Any]) -> list[str]:
    """The fields that keep a record from the tier `measured`: absent, null, or not what they should be."""
    found = set()
    for fault in _validator("measured").iter_errors(record):
        place = ".".join(str(part) for part in fault.absolute_path)
        if fault.validator == "required":
            missing = [name for name in fault.validator_value if name not in fault.instance]
            found |= {f"{place}.{name}" if place else name for name in missing}
        else:
            found.add(place)
    return sorted(found)


def completed(record: Mapping[str, Any]) -> Record:
    """The record with its tier, and null for each field that it lacks: what a board shows needs not ask."""
    filled: dict[str, Any] = {**record, "tier": tier_of(record)}
    for group, about in _schema()["properties"].items():
        if about.get("type") == "object" and "required" in about:
            filled[group] = dict.fromkeys(about["properties"]) | (filled.get(group) or {})
    return cast("Record", filled)


def training_data_of(record: Record) -> str:
    """`extra` where more than the dataset's own training split was learned from, `standard`, or `unknown`."""
    training = record.get("training")
    return (training["data"] if training else None) or "unknown"


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


@cache
def _schema() -> dict[str, Any]:
    return dict(json.loads(SCHEMA.read_text("utf-8")))


@cache
def _validator(part: str | None = None) -> Any:
    from jsonschema import Draft202012Validator  # takes longer to import than most commands run

    schema = _schema()
    return Draft202012Validator(schema if part is None else schema["$defs"][part])


def validate(record: Any, where: str, text: str | None = None) -> Record:
    """Check that a record has what a board needs and only finite scores; what else it lacks lowers its tier.

    Args:
        record: What to check.
        where: Its file, for the message.
        text: As it stands there, so that the message can name the line.

    Raises:
        ValueError: Naming the file, the line where it is known, and the field that is wrong.
    """
    fault = _fault(record)
    if fault is None:
        return cast("Record", dict(record))
    path, sentence = fault
    line = None if text is None else strict_json.line_of(text, path)
    raise ValueError(f"{where}{'' if line is None else f', line {line}'}: {sentence}")


def _fault(record: Any) -> tuple[list[Any], str] | None:
    """(path of the value, what is wrong with it) of the first fault."""
    return _fault_of_form(record) or _fault_of_scores(record)


def _fault_of_form(record: Any) -> tuple[list[Any], str] | None:
    """What the schema says."""
    from jsonschema.exceptions import best_match

    fault = best_match(_validator().iter_errors(record))
    if fault is None:
        return None
    path = list(fault.absolute_path)
    place = cut(".".join(str(part) for part in path), 200)
    if path == ["metric", "id"] and fault.validator == "pattern":
        return path, f"field {place}: {shown(fault.instance)} names no targets: end it with ;targets=vocals,drums"
    return path, f"{f'field {place}: ' if place else ''}{_said(fault)}"


def _said(fault: Any) -> str:
    """A fault in jsonschema's words, which begin with the value: in ours where it is so long that it hides the rest."""
    if len(fault.message) > LONGEST_SAID:
        return f"{shown(fault.instance)} is refused: the schema says {fault.validator}: {shown(fault.validator_value)}"
    return str(fault.message)


def _fault_of_scores(record: dict[str, Any]) -> tuple[list[Any], str] | None:
    """What a schema cannot say of them: the tracks listed, the targets of the metric id, and finite numbers."""
    listed = record["dataset"].get("tracks")
    if listed is not None and sorted(listed) != sorted(record["scores"]):
        return ["dataset", "tracks"], "scores are of other tracks than dataset.tracks lists"
    wanted = MetricId.parse(record["metric"]["id"]).targets
    for track, targets in record["scores"].items():
        lacking = [name for name in wanted if not isinstance(targets, dict) or not isinstance(targets.get(name), dict)]
        if lacking:
            return ["scores", track], cut(f"{track} has no scores of {lacking[0]}, which the metric id names")
        for target, scores in targets.items():
            if _are_plain(scores):
                continue
            for metric in dict.fromkeys((*METRICS, *scores)):
                value = scores.get(metric)
                if metric == "reason":
                    continue
                path, where = ["scores", track, target, metric], cut(f"{track} / {target} / {metric}")
                if value is None and not scores.get("reason"):
                    return path, f"{where} is null without a reason"
                if value is not None and not (isinstance(value, int | float) and _is_finite(value)):
                    return path, f"{where} is {shown(value)}, not a finite number"
    return None


def _are_plain(scores: dict[str, Any]) -> bool:
    """All there and all finite: nearly all are, and boards have a million."""
    values = scores.values()
    return scores.keys() >= METRICS_SET and all(type(v) is float for v in values) and math.isfinite(sum(values))


def _is_finite(value: float) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def read(path: Path) -> Record:
    """Read and validate one record.

    Raises:
        ValueError: Naming the file, the line and what is wrong with it.
    """
    try:
        text = read_text(path)
        record = strict_json.parse(text)
    except ValueError as error:
        if not errors.is_deliberate(error):
            raise
        raise ValueError(
            f"{path}: not a record that can be read ({errors.sentence(error)}): delete it and run the suite again"
        ) from error
    return validate(record, str(path), text)


def write(path: Path, record: Record) -> None:
    """Validate a record, then write it whole.

    Raises:
        ValueError: Naming the field that is wrong; nothing is written.
        OSError: If it cannot be written; nothing is left behind.
    """
    write_json(path, validate(record, str(path)))
