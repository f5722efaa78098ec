"""Records: one JSON file a result, with what is needed to trust it and to make it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from msbench.records import strict_json
from msbench.records.faults import fault_of
from msbench.records.schema import schema, validator
from msbench.records.types import Record
from msbench.system import bounded, errors
from msbench.system.files import write_json

SCHEMA_VERSION = 1
TIERS = ("measured", "unverified", "reported", "contaminated")  # how far a row can be trusted


def tier_of(record: Mapping[str, Any]) -> str:
    """`reported` by a paper or a campaign; `unverified` where a field is missing that the number rests on.

    `contaminated` where the model was trained on the split that it is scored on, as the publisher of its weights says.
    """
    if _was_trained_on_test(record):
        return "contaminated"
    if record.get("tier") in TIERS:  # a record of ours cannot say so of itself: the schema allows `reported` alone
        return str(record["tier"])
    return "unverified" if lacking(record) else "measured"


def _was_trained_on_test(record: Mapping[str, Any]) -> bool:
    data = record["dataset"]
    return was_trained_on(record.get("training") or {}, data["name"], data["split"])


def was_trained_on(training: Mapping[str, Any], dataset: str, split: str) -> bool:
    """Whether a split of a dataset is among what a model was trained on."""
    splits = training.get("splits") or {}
    return any(songs_of(name) == songs_of(dataset) and split in found for name, found in splits.items())


def songs_of(dataset: str) -> str:
    """One name for datasets of the same songs: musdb18 and musdb18hq, mir1k and mir1k_0db."""
    return dataset.removesuffix("hq").removesuffix("_0db")


def lacking(record: Mapping[str, Any]) -> list[str]:
    """The fields that keep a record from the tier `measured`: absent, null, or not what they should be."""
    found = set()
    for fault in validator("measured").iter_errors(record):
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
    for group, about in schema()["properties"].items():
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


def validate(record: Any, where: str, text: str | None = None) -> Record:
    """Check that a record has what a board needs and only finite scores; what else it lacks lowers its tier.

    Args:
        record: What to check.
        where: Its file, for the message.
        text: As it stands there, so that the message can name the line.

    Raises:
        ValueError: Naming the file, the line where it is known, and the field that is wrong.
    """
    fault = fault_of(record)
    if fault is None:
        return cast("Record", dict(record))
    path, sentence = fault
    line = None if text is None else strict_json.line_of(text, path)
    raise ValueError(f"{where}{'' if line is None else f', line {line}'}: {sentence}")


def read(path: Path) -> Record:
    """Read and validate one record.

    Raises:
        ValueError: Naming the file, the line and what is wrong with it.
    """
    try:
        text = bounded.read_text(path)
        record = strict_json.parse(text)
    except (ValueError, FileNotFoundError) as error:
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
