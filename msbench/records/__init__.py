"""The record of one result."""

from msbench.records.metric_id import MetricId
from msbench.records.record import (
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
from msbench.records.schema import METRICS, SCHEMA

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
