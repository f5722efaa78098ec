"""The methods page, written from the settings in force."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from msbench.evaluation.excerpts import SECONDS
from msbench.leaderboard import paired, statistics

if TYPE_CHECKING:
    from msbench.leaderboard.site.ranking import RankingPages


class Section(NamedTuple):
    """A part of the page: its paragraphs, then settings, then what is folded."""

    title: str
    paragraphs: list[str]
    settings: Sequence[tuple[str, Any]] = ()
    metric_ids: Sequence[tuple[str, str]] = ()


def methods(rankings: list[RankingPages]) -> list[Section]:
    """The sections of the page."""
    sizes = [f"{page.track_words}, {len(page.ranking.rows)} rows" for page in rankings]
    places = [(page.place, f"{page.metric_words} ({size})") for page, size in zip(rankings, sizes, strict=True)]
    ids = list(dict.fromkeys(each for page in rankings for each in page.metric_ids))
    scores = (
        "SDR, SIR and SAR are BSSEval v4 as museval 0.4.1 computes them: 512-tap distortion filters for each track, "
        "windows and hops of 1 s, the median over windows, then the median over tracks, and finally the median over "
        "seeds. mean-sdr takes means over windows and tracks instead, and agg=median-pooled in a metric id is the "
        "median over the windows of all tracks. The scores of a target depend on the targets that it was scored with: "
        "vocals against accompaniment are another ranking than vocals among four stems. A metric id names every "
        "setting that changes the number; rows of campaigns and papers state theirs too.",
        "Rows with different metric ids, datasets or tiers of training data are never ranked together. Ceilings see "
        "the true stems, and floors are the mixture itself: both are shown and neither is ranked.",
    )
    tests = (
        "The track is the unit. Each pair of models is compared by the Wilcoxon signed-rank test over the tracks that "
        "both have a score on, with Holm's correction over all pairs of one dataset, target and metric. A pair that "
        "does not pass is called not distinguished, because that is all such a test can say.",
        "Intervals come from a paired bootstrap: all models share the resampled tracks, and the seeds of a model are "
        "resampled within. The interval of a median is the limit for infinitely many resamples, which is known "
        "exactly. The interval of a rank and the probability of being best come from resamples that are drawn. "
        "Friedman's test is the gate; the bars in the diagram of mean ranks are the cliques of the pairwise tests. "
        "Seeds are never tested against each other: their spread is shown.",
        "Ranks, their intervals and mean ranks are computed among systems of one tier and one kind of training data, "
        "over the tracks that more than half of them have a score on. A system that lacks one of these tracks has no "
        "rank.",
    )
    settings = [
        ("significance level", paired.ALPHA),
        ("resamples of the tracks", statistics.RESAMPLES),
        ("resamples of the seeds", paired.SEED_RESAMPLES),
        ("random seed", paired.SEED),
        ("family of Holm's correction", "dataset x target x metric"),
    ]
    tiers = (
        "Measured: the record holds the scores of every track and says how they were made. Unverified: a required "
        "field is missing. Reported: the figure comes from a paper or a campaign. Contaminated: those who published "
        "the weights say that they were trained on songs that are scored here; such a row is shown and never ranked. "
        "The table can be filtered by tier.",
    )
    listening = (
        f"{SECONDS:.0f} s of some tracks can be played where an evaluation kept them and the license of the dataset "
        "allows it: the part in which the faintest target is loudest, chosen from the references alone, coded as MP3."
    )
    software = [(name, version(name)) for name in ("msbench", "numpy", "scipy", "pandas")]
    return [
        Section("Scores", list(scores)),
        Section("Rankings", [], places, ids),
        Section("Statistics", list(tests), settings),
        Section("Tiers", list(tiers)),
        Section("Listening", [listening]),
        Section("Software", ["These versions built the pages; each card names those that made its scores."], software),
    ]
