"""Metric ids in words: what each says, and that no two say the same."""

from __future__ import annotations

import pytest

from msbench.metrics.catalogue import METRICS
from msbench.metrics.wording import LONGEST_LIST, in_words
from msbench.records.metric_id import BSSEVAL, MetricId

WINDOWS = "bsseval-v4;win=1;hop=1;filters=512"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{WINDOWS};agg=median-median", "SDR by BSSEval v4: median over 1 s windows, then over tracks"),
        (
            f"{WINDOWS};agg=median-median;targets=bass,vocals",
            "SDR by BSSEval v4: median over 1 s windows, then over tracks; bass and vocals scored together",
        ),
        (
            f"{WINDOWS};agg=median-median;together=as-submitted;targets=bass,vocals",
            "SDR by BSSEval v4: median over 1 s windows, then over tracks; targets scored together as each participant "
            "chose",
        ),
        (
            "bsseval-v4;win=2;hop=0.5;filters=64;agg=median-mean",
            "SDR by BSSEval v4: median over 2 s windows every 0.5 s, then mean over tracks; filters of 64 taps",
        ),
        (
            f"{WINDOWS};agg=median-pooled;targets=bass,vocals",
            "SDR by BSSEval v4: median over the 1 s windows of all tracks at once; bass and vocals scored together",
        ),
        (
            "mean-sdr;win=1;hop=1;filters=512;agg=mean-mean",
            "SDR by BSSEval v4: mean over 1 s windows, then over tracks",
        ),
        (
            "nsdr;bsseval-v3;agg=mean;targets=a,b,c",
            "NSDR, the gain in SDR over the mixture: mean over tracks; by BSSEval v3; a, b, and c scored together",
        ),
        ("si-sdr;channels=joint", "SI-SDR: median over tracks; all channels together"),
        ("si-sdr;targets=vocals", "SI-SDR: median over tracks; vocals alone"),
        ("others-sdr;agg=best-of-three;x", "others-sdr: agg=best-of-three; x"),  # of another tool
        ("", ""),
    ],
)
def test_a_metric_id_in_words(text: str, words: str) -> None:
    assert in_words(MetricId.parse(text)) == words


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_has_a_title_and_no_raw_setting(metric: object) -> None:
    words = in_words(MetricId.parse(metric.id_of(["voice", "band"])))  # type: ignore[attr-defined]
    assert words.startswith(f"{metric.title}: ")  # type: ignore[attr-defined]
    assert "=" not in words


def test_no_two_metrics_read_alike() -> None:
    ids = [MetricId.parse(metric.id_of(["voice"])) for metric in METRICS] + [BSSEVAL, BSSEVAL.with_setting("new=1")]
    assert len({in_words(each) for each in ids}) == len(ids)


def test_many_targets_are_counted() -> None:
    many = BSSEVAL.of(f"stem {number}" for number in range(LONGEST_LIST + 1))
    assert in_words(many).endswith("; 7 targets scored together")
