"""Records: one JSON file a result, with what is needed to trust it and to make it again."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from msbench.files import write_json, write_text

__all__ = [
    "code_state",
    "digest",
    "hardware",
    "read",
    "tier_of",
    "training_data_of",
    "validate",
    "write_json",
    "write_text",
]

SCHEMA_VERSION = 1
NEEDED: dict[str, tuple[str, ...]] = {  # without which there is no row
    "model": ("name", "label", "role"),
    "dataset": ("name", "split", "fingerprint"),
    "metric": ("id",),
}
METRICS = ("SDR", "SIR", "SAR", "ISR")  # of the id that a board ranks by; others stand under their own ids
REQUIRED: dict[str, tuple[str, ...]] = {
    "model": ("name", "label", "role", "options", "config_sha256", "parameters", "targets", "adaptation"),
    "code": ("msbench", "commit", "dirty"),
    "dataset": ("name", "version", "split", "fingerprint", "sample_rate", "tracks"),
    "inference": ("chunk_seconds", "overlap", "batch_size", "device", "dtype"),
    "metric": ("id", "backend"),
    "speed": ("real_time_factor", "seconds", "peak_bytes", "hardware"),
}


TIERS = ("measured", "unverified", "reported")  # how far a row can be trusted


def tier_of(record: dict[str, Any]) -> str:
    """`reported` by a paper or a campaign; `unverified` where a field is missing that the number rests on."""
    if record.get("tier") == "reported":
        return "reported"
    known = all(key in (record.get(group) or {}) for group, keys in REQUIRED.items() for key in keys)
    return "measured" if known else "unverified"


def training_data_of(record: dict[str, Any]) -> str:
    """`extra` where more than the dataset's own training split was learned from, else `standard`."""
    return str((record.get("training") or {}).get("data", "standard"))


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def validate(record: Any, where: str) -> dict[str, Any]:
    """Check that a record has what a board needs and only finite scores; what else it lacks lowers its tier.

    Raises:
        ValueError: Naming the file and the field that is wrong.
    """
    if not isinstance(record, dict):
        raise ValueError(f"{where}: a record is a JSON object, not {type(record).__name__}")
    if record.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"{where}: schema_version is {record.get('schema_version')}, this msbench reads {SCHEMA_VERSION}"
        )
    for group, fields in NEEDED.items():
        for field in fields:
            if not isinstance(record.get(group), dict) or field not in record[group]:
                raise ValueError(f"{where}: field {group}.{field} is missing")
    if not isinstance(record.get("scores"), dict) or not record["scores"]:
        raise ValueError(f"{where}: it holds no scores")
    for track, targets in record["scores"].items():
        for target, scores in targets.items():
            for metric in dict.fromkeys((*METRICS, *scores)):
                if metric == "reason":
                    continue
                value = scores.get(metric)
                if value is None and not scores.get("reason"):
                    raise ValueError(f"{where}: {track} / {target} / {metric} is null without a reason")
                if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                    raise ValueError(f"{where}: {track} / {target} / {metric} is {value!r}, not a finite number")
    return record


def read(path: Path) -> dict[str, Any]:
    """Read and validate one record.

    Raises:
        ValueError: Naming the file and what is wrong with it.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not a record that can be read ({error}): delete it and run the suite again"
        ) from error
    return validate(record, str(path))


@cache
def code_state() -> dict[str, Any]:
    """Version, commit and a hash of uncommitted changes of msbench's own code (None outside a git checkout)."""
    from msbench import __version__

    folder = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=20
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    root = git("rev-parse", "--show-toplevel")
    # An installed package may lie within a checkout of something else.
    ours = root is not None and folder.parent == Path(root)
    changes = git("diff", "HEAD") if ours else None
    return {
        "msbench": __version__,
        "commit": git("rev-parse", "HEAD") if ours else None,
        "dirty": hashlib.sha256(changes.encode()).hexdigest() if changes else None,
    }


@cache
def hardware() -> str:
    """The processor, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"
