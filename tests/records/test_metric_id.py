"""Metric ids: the text that records and boards hold, composed and taken apart without a change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msbench.leaderboard import sisec18
from msbench.metrics.catalogue import NAMES, metric_ids
from msbench.records import MetricId
from msbench.records.metric_id import BSSEVAL, MEAN_SDR

ROOT = Path(__file__).parents[2]
STRANGERS = (
    "",
    ";",
    "targets=vocals",
    "sdr targets=vocals",
    "sdr;targets=",
    "sdr;targets=a;agg=b",
    "a;;b=;targets=,,x",
    "x;targets=a;targets=b",
    "nsdr;bsseval-v3;agg=mean",
    "\n;targets=\u202e",
)


def ids_of_boards() -> Iterator[str]:
    """Every metric id that the boards of this repository hold."""

    def of(value: Any) -> Iterator[str]:
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from of(inner)
        if isinstance(value, str) and ";" in value and "=" in value and " " not in value:
            yield value

    for path in (ROOT / "leaderboards").rglob("*.json"):
        yield from of(json.loads(path.read_text("utf-8")))


def test_ids_have_the_text_that_records_hold() -> None:
    assert str(BSSEVAL.of(["vocals", "drums"])) == (
        "bsseval-v4;win=1;hop=1;filters=512;agg=median-median;targets=drums,vocals"
    )
    assert str(BSSEVAL.of(["vocals", "drums"]).pooled()) == (
        "bsseval-v4;win=1;hop=1;filters=512;agg=median-pooled;targets=drums,vocals"
    )


def test_every_id_of_a_board_is_read_and_written_without_a_change() -> None:
    found = set(ids_of_boards())
    assert {
        str(BSSEVAL.of(sisec18.PAIR)),
        str(BSSEVAL.of(sisec18.STEMS)),
        "nsdr;bsseval-v3;agg=mean;targets=accompaniment,vocals",
    } <= found
    for text in found:
        parsed = MetricId.parse(text)
        assert str(parsed) == text
        _, mark, targets = text.rpartition("targets=")  # a score of one target alone has none
        assert ",".join(parsed.targets) == (targets if mark else ""), text


@pytest.mark.parametrize("text", [*STRANGERS, *metric_ids(NAMES, ["vocals", "drums"]).values()])
def test_the_id_of_a_stranger_has_parts_too(text: str) -> None:
    assert str(MetricId.parse(text)) == text


def test_the_parts() -> None:
    parsed = MetricId.parse("bsseval-v4;win=1;agg=median-median;targets=b,a")
    assert parsed == MetricId("bsseval-v4", ("win=1", "agg=median-median"), ("b", "a"))
    assert MetricId.parse("si-sdr;channels=joint").targets == ()
    assert MetricId.parse("targets=vocals") == MetricId("targets=vocals")
    assert MEAN_SDR.is_of_means
    assert not BSSEVAL.is_of_means
    assert not MetricId.parse("SDR").is_of_means
