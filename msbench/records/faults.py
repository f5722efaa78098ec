"""What is wrong with a record: fields of another type, too many or too large values, scores that do not fit.

A record may come from a stranger, and one of them must not break the board of all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msbench.records.further import ALL_WINDOWS
from msbench.records.metric_id import MetricId
from msbench.records.schema import METRICS, validator
from msbench.system import names
from msbench.system.bounded import cut, shown

MOST_TARGETS = 64  # each has a page of pairs, a column and a panel
MOST_SCORES = 200  # of one target on one track
MOST_VALUES = 10_000  # in one list or object, tracks among them
LONGEST_SAID = 300  # characters of a message
LARGEST = 1e9  # of a score, in whatever unit; sums and differences of such numbers are finite

_METRICS_SET = frozenset(METRICS)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Fault = tuple[list[Any], str]  # (path of the value, what is wrong with it)


def fault_of(record: Any) -> Fault | None:
    """The first fault of a record; None where all is well."""
    return (
        _fault_of_size(record)
        or _fault_of_form(record)
        or _fault_of_names(record)
        or _fault_of_scores(record)
        or _fault_of_further(record)
    )


def _fault_of_size(record: Any) -> Fault | None:
    """Before the schema, which looks at every entry of a list however long it is."""
    waiting: list[tuple[list[Any], Any]] = [([], record)]
    while waiting:
        path, value = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        if len(value) > MOST_VALUES:
            place = ".".join(map(str, path)) or "the record"
            return path, f"{place} holds {len(value):,} values, and {MOST_VALUES:,} are the most"
        if path[-1:] != ["scores"]:  # these are looked at one by one below
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [([*path, key], each) for key, each in inner if isinstance(each, dict | list)]
    return None


def _fault_of_form(record: Any) -> Fault | None:
    """What the schema says."""
    from jsonschema.exceptions import best_match

    fault = best_match(validator().iter_errors(record))
    if fault is None:
        return None
    path = list(fault.absolute_path)
    place = cut(".".join(str(part) for part in path), 200)
    if path[-2:] == ["metric", "id"] and fault.validator == "pattern":
        return path, f"field {place}: {shown(fault.instance)} names no targets: end it with ;targets=vocals,drums"
    return path, f"{f'field {place}: ' if place else ''}{_said(fault)}"


def _said(fault: Any) -> str:
    """A fault in jsonschema's words, which begin with the value: in ours where it is so long that it hides the rest."""
    if len(fault.message) > LONGEST_SAID:
        return f"{shown(fault.instance)} is refused: the schema says {fault.validator}: {shown(fault.validator_value)}"
    return str(fault.message)


def _fault_of_names(record: dict[str, Any]) -> Fault | None:
    """Names are shown, and found again by; none is ever a path, so that slashes may stand in them."""
    for path, name in _names(record):
        if _CONTROL.search(name):
            return path, f"field {'.'.join(map(str, path))}: the name {shown(name)} holds a control character"
        longest = 16_000 if path[0] == "metric" else names.LONGEST
        if not name.strip() or len(name.encode()) > longest:
            return path, f"field {'.'.join(map(str, path))}: the name {shown(name)} is empty or above {longest} bytes"
    targets = MetricId.parse(record["metric"]["id"]).targets
    if len(targets) > MOST_TARGETS:
        return ["metric", "id"], f"field metric.id: it names {len(targets)} targets, and {MOST_TARGETS} are the most"
    return None


def _names(record: dict[str, Any]) -> Iterator[Fault]:
    for group, field in (("model", "name"), ("model", "label"), ("dataset", "name"), ("dataset", "split")):
        yield [group, field], record[group][field]
    yield ["metric", "id"], record["metric"]["id"]
    for target in MetricId.parse(record["metric"]["id"]).targets:
        yield ["metric", "id"], target
    for number, metric in enumerate(record["metric"].get("beside") or ()):
        yield ["metric", "beside", number], metric
    for track in record["scores"]:
        yield ["scores", track], track


def _fault_of_scores(record: dict[str, Any]) -> Fault | None:
    """What a schema cannot say of them: the tracks listed, the targets of the metric id, and finite numbers."""
    listed = record["dataset"].get("tracks")
    if listed is not None and sorted(listed) != sorted(record["scores"]):
        return ["dataset", "tracks"], "scores are of other tracks than dataset.tracks lists"
    wanted = MetricId.parse(record["metric"]["id"]).targets
    for track, targets in record["scores"].items():
        if not isinstance(targets, dict):
            return ["scores", track], cut(f"{track} has no scores of {wanted[0]}, which the metric id names")
        lacking = [name for name in wanted if not isinstance(targets.get(name), dict)]
        if lacking:
            return ["scores", track], cut(f"{track} has no scores of {lacking[0]}, which the metric id names")
        if len(targets) > MOST_TARGETS:
            return ["scores", track], f"{track} has scores of {len(targets)} targets, and {MOST_TARGETS} are the most"
        for target, scores in targets.items():
            fault = _fault_of_target(scores)
            if fault is not None:
                metric, sentence = fault
                place = [track, target] if metric is None else [track, target, metric]
                return ["scores", *place], f"{cut(' / '.join(place))} {sentence}"
    return None


def _fault_of_further(record: dict[str, Any]) -> Fault | None:
    """The same of the scores under further metric ids."""
    for number, entry in enumerate(record.get("further") or ()):
        pooled = MetricId.parse(entry["metric"]["id"]).is_pooled
        data = {**record["dataset"], "tracks": [ALL_WINDOWS]} if pooled else record["dataset"]
        each = {**record, "dataset": data, "metric": entry["metric"], "scores": entry["scores"]}
        fault = _fault_of_names(each) or _fault_of_scores(each)
        if fault is not None:
            path, sentence = fault
            return ["further", number, *path], f"further.{number}: {sentence}"
    return None


def _fault_of_target(scores: Any) -> tuple[str | None, str] | None:
    """(the score or None, what is wrong) of one target on one track."""
    if not isinstance(scores, dict):
        return None, f"is {shown(scores)}, not an object of scores"
    if _are_plain(scores):
        return None
    if len(scores) > MOST_SCORES:
        return None, f"has {len(scores)} scores, and {MOST_SCORES} are the most"
    for metric in dict.fromkeys((*METRICS, *scores)):
        fault = _fault_of_value(metric, scores)
        if fault is not None:
            return metric, fault
    return None


def _fault_of_value(metric: str, scores: dict[str, Any]) -> str | None:
    value = scores.get(metric)
    if metric == "reason":
        return None if value is None or isinstance(value, str) else f"is {shown(value)}, not text"
    if value is None:
        return None if scores.get("reason") else "is null without a reason"
    return None if _is_score(value) else f"is {shown(value)}, not a finite number between -{LARGEST:g} and {LARGEST:g}"


def _are_plain(scores: Mapping[str, Any]) -> bool:
    """All there and all finite: nearly all are, and boards have a million."""
    if len(scores) > MOST_SCORES or not scores.keys() >= _METRICS_SET:
        return False
    return all(type(value) is float and -LARGEST <= value <= LARGEST for value in scores.values())


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST
