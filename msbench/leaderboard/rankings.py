"""A ranking: the rows of a board that may be ranked together, and the scores of their tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from msbench.leaderboard.rows import UNRANKED, Row, by_seed, medians_of, other_metrics_of, shown
from msbench.records.metric_id import MetricId
from msbench.records.types import Record

if TYPE_CHECKING:
    from msbench.leaderboard.statistics import Comparison

Models = dict[str, list[Record]]  # {label: records, one per seed}


class RankingKey(NamedTuple):
    """What rows have in common that may be ranked together."""

    dataset: str  # with its split, as "musdb18/test"
    metric: str
    fingerprint: str  # of the data; empty where it is not known


@dataclass(frozen=True)
class Ranking:
    """Rows that may be ranked together, and the scores of every track."""

    dataset: str
    split: str
    fingerprint: str  # of the data; empty where it is not known
    metric: str
    rows: list[Row]
    records: Models
    seeds: dict[tuple[str, str], dict[str, pd.DataFrame]]  # (target, score): {model: tracks x seeds}

    @property
    def targets(self) -> list[str]:
        """Those that its metric id names."""
        return list(dict.fromkeys(MetricId.parse(self.metric).targets))

    @property
    def shown(self) -> tuple[str, ...]:
        """The scores of its metric; the first is what it ranks by."""
        return shown(self.metric)

    @property
    def other_metrics(self) -> list[str]:
        """Ids of the metrics that models were scored by in addition."""
        known = dict.fromkeys(score for _, score in self.seeds)
        return [score for score in known if score not in self.shown]

    def scores(self, target: str, score: str) -> pd.DataFrame:
        """Scores of tracks (rows) by model (columns): the median over seeds; NaN where there is none."""
        seeds = self.seeds[target, score]
        return pd.DataFrame({model: medians_of(values) for model, values in seeds.items()})

    def comparison(self, target: str) -> Comparison | None:
        """All models by the score that counts; None where fewer than two have scores of tracks.

        Systems of one tier and training data are ranked with each other.
        """
        from msbench.leaderboard.statistics import compare

        scores = self.seeds[target, self.shown[0]]
        known = {model: values for model, values in scores.items() if values.notna().any(axis=None)}
        if len(known) < 2:
            return None
        ranked = [row for row in self.rows if row.role == "system" and row.tier != UNRANKED]
        groups = {row.model: f"{row.tier}, {row.data} training data" for row in ranked}
        of_means = next((score for score in self.other_metrics if MetricId.parse(score).is_of_means), None)
        return compare(known, groups, None if of_means is None else self.scores(target, of_means))


def ranking_of(key: RankingKey, models: Models, rows: list[Row]) -> Ranking:
    """The ranking of these models, and of the rows that they have."""
    scored = {
        label: [record for record in found if record["dataset"]["tracks"] != []] for label, found in models.items()
    }
    scored = {} if _is_pooled(key) else {label: found for label, found in scored.items() if found}
    scores = (*shown(key.metric), *other_metrics_of(record for found in scored.values() for record in found))
    seeds = {
        (target, score): {label: by_seed(found, target, score) for label, found in scored.items()}
        for target in MetricId.parse(key.metric).targets
        for score in scores
    }
    data = next(iter(models.values()))[0]["dataset"]
    return Ranking(data["name"], data["split"], key.fingerprint, key.metric, rows, models, seeds)


def with_tracks_first(group: tuple[RankingKey, Models]) -> tuple[bool, RankingKey]:
    """Sorts rankings: those with scores of tracks come first."""
    key, models = group
    with_tracks = any(record["dataset"]["tracks"] for found in models.values() for record in found)
    return _is_pooled(key) or not with_tracks, key


def _is_pooled(key: RankingKey) -> bool:
    """Whether there are no scores of tracks, but one of all their windows."""
    return MetricId.parse(key.metric).is_pooled
