"""Further metric ids of a record: which are asked for, and what is wrong with their scores."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from msbench import records
from msbench.records.further import by_metric, further_ids, lacks
from msbench.records.metric_id import BSSEVAL
from tests.leaderboard.boards import record


def with_further(label: str = "system") -> dict[str, Any]:
    """A record whose two targets are scored once more under another id."""
    made = record(label)
    metric = {**made["metric"], "id": str(BSSEVAL.with_setting("x=1").of(["band", "voice"]))}
    return {**made, "further": [{"metric": metric, "scores": copy.deepcopy(made["scores"])}]}


def test_ids_that_are_asked_for() -> None:
    own = BSSEVAL.of(["voice", "band"])
    assert further_ids(own) == further_ids(own, ["band", "voice"]) == []
    assert further_ids(own, ["voice", "drums"], pooled=True) == [
        BSSEVAL.of(["voice", "drums"]),
        own.pooled(),
        BSSEVAL.of(["voice", "drums"]).pooled(),
    ]


def test_a_record_of_each_id() -> None:
    made: Any = records.validate(with_further(), "here")
    own, other = by_metric(made)
    assert "further" not in own
    assert "further" not in other
    assert own["scores"] == other["scores"]
    assert other["metric"]["id"].endswith("x=1;targets=band,voice")
    assert other["model"] == made["model"]
    assert not lacks(made, (), False)
    assert lacks(made, (), True)
    assert lacks(made, ("voice", "drums"), False)


def test_faults_of_further_scores_are_said() -> None:
    made = with_further()
    del made["further"][0]["scores"]["song"]
    with pytest.raises(ValueError, match=r"here: further\.0: scores are of other tracks than dataset\.tracks lists"):
        records.validate(made, "here")
    made = with_further()
    made["further"][0]["scores"]["song"]["voice"]["SDR"] = float("nan")
    with pytest.raises(ValueError, match=r"further\.0: song / voice / SDR is nan, not a finite number"):
        records.validate(made, "here")
    made["further"][0]["metric"]["id"] = "x"
    with pytest.raises(ValueError, match="'x' names no targets"):
        records.validate(made, "here")
