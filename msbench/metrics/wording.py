"""Metric ids in words, as the pages of a board name them."""

from __future__ import annotations

from collections.abc import Sequence

from msbench.metrics.catalogue import BY_NAME
from msbench.records.metric_id import MetricId

TITLES = {
    "bsseval": "SDR by BSSEval, whose version the source does not say",
    "bsseval-v3": "SDR by BSSEval v3",
    "bsseval-v4": "SDR by BSSEval v4",
    "sdr": "SDR, whose definition the source does not say",
}
LONGEST_LIST = 6  # of targets; more are counted
_AVERAGES = ("median", "mean")
_SETTINGS = {
    "bsseval-v3": "by BSSEval v3",
    "channels=joint": "all channels together",
    "channels=mean": "mean over channels",
    "filters=512": "",  # BSSEval's own
    "mode=wb": "wide band",
    "of=bsseval-v3": "of BSSEval v3's SDR of whole tracks (bss_eval_sources)",
    "of=track-sdr": "of the SDR of whole tracks",
    "together=as-submitted": "targets scored together as each participant chose",
    "together=not-stated": "the source does not say which targets were scored together",
}
_VALUES = {
    "filters": "filters of {} taps",
    "delta": "{} added to each energy",
    "hop": "a hop of {}",
    "win": "windows of {}",
}


def in_words(metric: MetricId) -> str:
    """A metric id in words; a setting that is not known is said as it is, so that no two ids read alike.

    >>> in_words(MetricId("bsseval-v4", ("win=1", "hop=1", "filters=512", "agg=median-median")))
    'SDR by BSSEval v4: median over 1 s windows, then over tracks'
    """
    known = BY_NAME.get(metric.family)
    title = TITLES.get(metric.family) or (known.title if known else metric.family)
    average, used = _average(metric)
    rest = [_setting(setting) for setting in metric.settings if setting not in used]
    clauses = [clause for clause in (average, *rest, _together(metric)) if clause]
    return f"{title}: {'; '.join(clauses)}" if clauses else title


def _average(metric: MetricId) -> tuple[str, set[str]]:
    """How values become one number, and the settings that say so."""
    values = dict(setting.partition("=")[::2] for setting in metric.settings)
    parts = values.get("agg", "").split("-")
    if "agg" not in values:  # a number of the whole track, of which a board takes the median
        return ("median over tracks" if metric.family in BY_NAME else ""), set()
    if metric.is_by_length:
        return "mean over tracks, weighted by their lengths", {f"agg={values['agg']}"}
    pooled = metric.is_pooled
    parts = parts[:1] if pooled else parts
    if len(parts) > 2 or not set(parts) <= set(_AVERAGES):
        return "", set()
    if "win" not in values:
        return (f"{parts[0]} over tracks", {f"agg={values['agg']}"}) if len(parts) == 1 else ("", set())
    win, hop = values["win"], values.get("hop", values["win"])
    windows = f"{win} s windows" if hop == win else f"{win} s windows every {hop} s"
    used = {f"{name}={values[name]}" for name in ("agg", "win", "hop") if name in values}
    if pooled:
        return f"{parts[0]} over the {windows} of all tracks at once", used
    last = parts[-1] if len(parts) == 2 else "median"  # a board's own, of the values of tracks
    then = "then over tracks" if last == parts[0] else f"then {last} over tracks"
    return f"{parts[0]} over {windows}, {then}", used


def _setting(setting: str) -> str:
    if setting in _SETTINGS:
        return _SETTINGS[setting]
    name, _, value = setting.partition("=")
    return _VALUES[name].format(value) if name in _VALUES and value else setting


def _together(metric: MetricId) -> str:
    """Which targets were scored together, where no setting says more of that."""
    if not metric.targets or any(setting.startswith("together=") for setting in metric.settings):
        return ""
    if len(metric.targets) > LONGEST_LIST:
        return f"{len(metric.targets)} targets scored together"
    return f"{listed(metric.targets)} scored together" if len(metric.targets) > 1 else f"{metric.targets[0]} alone"


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b" or "a, b, and c"."""
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"
