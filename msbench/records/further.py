"""Scores of the same estimates under further metric ids, each a ranking of its own on a board.

They are of other targets (vocals against accompaniment, in addition to four stems) or aggregated in another way (the
median over the windows of all tracks at once).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from msbench.records.metric_id import MetricId
from msbench.records.types import Record

ALL_WINDOWS = "all windows"  # stands for the track where windows are pooled over tracks


def further_ids(own: MetricId, scenario: Sequence[str] = (), pooled: bool = False) -> list[MetricId]:
    """The ids that a record has in addition to its own.

    Args:
        own: BSSEval of the targets that the model estimates.
        scenario: Targets that are scored together once more.
        pooled: Whether medians over the windows of all tracks are wanted, of each set of targets.
    """
    ids = list(dict.fromkeys([own, *([own.of(scenario)] if scenario else [])]))
    return [*ids[1:], *([each.pooled() for each in ids] if pooled else [])]


def lacks(record: Record, scenario: Sequence[str], pooled: bool) -> bool:
    """Whether a record does not have all that is asked for."""
    wanted = further_ids(MetricId.parse(record["metric"]["id"]), scenario, pooled)
    return not {str(each) for each in wanted} <= {entry["metric"]["id"] for entry in record.get("further") or ()}


def by_metric(record: Record) -> list[Record]:
    """A record for each metric id: its own, then the further ones."""
    first = cast("Record", {name: value for name, value in record.items() if name != "further"})
    entries = record.get("further") or ()
    found: list[Record] = [{**first, "metric": entry["metric"], "scores": entry["scores"]} for entry in entries]
    return [first, *found]
