"""The record of one result."""

from msbench.records.record import (
    METRICS,
    SCHEMA,
    SCHEMA_VERSION,
    TIERS,
    completed,
    digest,
    lacking,
    read,
    targets_in,
    tier_of,
    training_data_of,
    validate,
    write,
)

__all__ = [
    "METRICS",
    "SCHEMA",
    "SCHEMA_VERSION",
    "TIERS",
    "completed",
    "digest",
    "lacking",
    "read",
    "targets_in",
    "tier_of",
    "training_data_of",
    "validate",
    "write",
]
