"""The record of one result."""

from msbench.records.metric_id import MetricId
from msbench.records.record import (
    METRICS,
    SCHEMA,
    SCHEMA_VERSION,
    TIERS,
    completed,
    digest,
    lacking,
    read,
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
    "MetricId",
    "completed",
    "digest",
    "lacking",
    "read",
    "tier_of",
    "training_data_of",
    "validate",
    "write",
]
