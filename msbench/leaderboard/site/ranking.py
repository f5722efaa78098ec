"""One ranking's pages: what their templates show."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from msbench.leaderboard.rankings import Ranking
from msbench.leaderboard.rows import OPTIONAL, Row, median_of, over_tracks
from msbench.leaderboard.site import tables
from msbench.leaderboard.site.encoding import identifier
from msbench.leaderboard.statistics import Comparison
from msbench.metrics import catalogue
from msbench.metrics.wording import in_words
from msbench.records.metric_id import MetricId
from msbench.records.schema import METRICS

FILTERS = ("tier", "data", "role")
PAGES = ("Table", "Comparison", "Tracks", "Cost")
FILES = dict(zip(PAGES, ("index", "compare", "tracks", "cost"), strict=True))


class RankingPages:
    """A ranking as its pages need it.

    Args:
        ranking: The rows and the scores of every track.
        first: Whether it is the board's first, whose table is index.html.
    """

    def __init__(self, ranking: Ranking, first: bool) -> None:
        self.ranking = ranking
        self.dataset, self.split, self.metric = ranking.dataset, ranking.split, ranking.metric
        self.targets = list(ranking.targets)
        self.place = f"{ranking.dataset}/{ranking.split}"
        tiers = sorted({row.data for row in ranking.rows})
        self.key = identifier(self.place, ranking.fingerprint, self.metric, tiers, [row.model for row in ranking.rows])
        self._suffix = "" if first else f"-{self.key}"
        self.scores_shown = [*ranking.shown, *ranking.other_metrics]
        self._rows = [self._with_all_scores(row) for row in ranking.rows]
        self.choices = [score for score in (*ranking.shown, *self._unshown) if self._is_scored(score)]
        added = [score for score in self._unshown if score in self.choices]
        self._table_scores = [*ranking.shown, *added, *ranking.other_metrics]
        self._told = [name for name in OPTIONAL if any(getattr(row, name) for row in ranking.rows)]
        self.columns = tables.columns(self.targets, self._table_scores, self.choices, self._told)

    def file(self, page: str) -> str:
        """The name of one of this ranking's pages; of its table for a page that is the whole board's."""
        return f"{FILES.get(page, 'index')}{self._suffix}.html"

    def card(self, model: str) -> str:
        """The name of a model's card."""
        return f"model-{identifier(self.key, model)}.html"

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """{target: comparison}, where two models or more have scores of tracks."""
        found = {target: self.ranking.comparison(target) for target in self.targets}
        return {target: comparison for target, comparison in found.items() if comparison is not None}

    @property
    def compared(self) -> list[str]:
        return list(self.comparisons)

    @cached_property
    def tracks(self) -> list[str]:
        """Names of all tracks that a model of it was scored on."""
        scores = self.ranking.scores(self.targets[0], self.scores_shown[0])
        return [str(track) for track in scores.index]

    @property
    def track_words(self) -> str:
        return f"{len(self.tracks)} tracks" if self.tracks else "no scores of individual tracks"

    @property
    def metric_words(self) -> str:
        return in_words(MetricId.parse(self.metric))

    @property
    def metric_ids(self) -> list[tuple[str, str]]:
        """(words, id) of its metric and of those that models were scored by in addition."""
        ids = [self.metric, *self.ranking.other_metrics]
        return [(in_words(MetricId.parse(each)), each) for each in ids]

    @property
    def score_labels(self) -> list[str]:
        """Of the scores to choose from, with their unit."""
        families = [MetricId.parse(score).family for score in self.scores_shown]
        units = [catalogue.unit_of(family) for family in families]
        return [f"{family} ({unit})" if unit else family for family, unit in zip(families, units, strict=True)]

    @property
    def captions(self) -> dict[str, str]:
        """{score to choose: what the table says of itself while it shows that score}."""
        ranks = self.ranking.shown[0]
        others = f" Ranks, places, and groups are still those by {ranks}; intervals are drawn for {ranks} alone."
        return {score: self._caption(score) + (others if score != ranks else "") for score in self.choices}

    @property
    def caption(self) -> str:
        return self._caption(self.ranking.shown[0])

    def _caption(self, score: str) -> str:
        if MetricId.parse(self.metric).is_pooled:
            return f"Median {score} over the windows of all tracks at once, in dB; higher is better."
        if MetricId.parse(self.metric).family.startswith("bsseval"):
            return f"Median over tracks of each track's median {score} over windows, in dB; higher is better."
        return f"{score} in dB: {self.metric_words}; higher is better."

    note = tables.NOTE

    @property
    def compare_words(self) -> str:
        return (
            "Each pair of models by the Wilcoxon signed-rank test over their common tracks, with Holm's correction "
            "over all pairs. A pair that does not pass is not distinguished: these tracks cannot tell the two apart."
        )

    @property
    def filters(self) -> list[tuple[str, list[str]]]:
        """(field, values) of the check boxes; a field of one value needs none."""
        values = {field: list(dict.fromkeys(getattr(row, field) for row in self.ranking.rows)) for field in FILTERS}
        return [(field, found) for field, found in values.items() if len(found) > 1]

    @cached_property
    def rows(self) -> list[tuple[Row, list[tables.Cell]]]:
        """The table's rows, each with its cells."""
        statistics = {target: tables.TargetStatistics(found) for target, found in self.comparisons.items()}
        shown = (self._table_scores, self.choices, statistics, self._told)
        return [(row, tables.cells(row, *shown)) for row in self._rows]

    @property
    def _unshown(self) -> list[str]:
        """Scores of BSSEval that text tables have no room for."""
        return [score for score in METRICS if score not in self.ranking.shown]

    def _with_all_scores(self, row: Row) -> Row:
        found = self.ranking.records[row.model]
        added = {
            target: {
                score: median_of(over_tracks(record, target, score) for record in found) for score in self._unshown
            }
            for target in row.scores
        }
        return replace(row, scores={target: {**scores, **added[target]} for target, scores in row.scores.items()})

    def _is_scored(self, score: str) -> bool:
        ranks = score == self.ranking.shown[0]
        return ranks or any(of[score] is not None for row in self._rows for of in row.scores.values())
