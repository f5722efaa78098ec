"""The results of all tracks: those that an earlier run has kept, and those that are scored now."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import cast

from msbench import records
from msbench.data.track import Track
from msbench.evaluation.excerpts import Excerpts
from msbench.evaluation.jobs import score_tracks
from msbench.evaluation.options import Execution, Scoring
from msbench.evaluation.scenarios import Scenario, Scores, scenarios_of
from msbench.evaluation.sources import EstimateSource, ScoredSet
from msbench.evaluation.track import Task, track_scores
from msbench.records.metric_id import BSSEVAL
from msbench.records.types import TrackResult
from msbench.system.bounded import read_json
from msbench.system.files import write_text

_Place = tuple[str, str]  # folder of a scenario, track


class Results:
    """The results of a split's tracks, kept in a folder one by one.

    A result that is there already counts if it has the key of this evaluation, which holds all that its numbers follow
    from: the estimates, the metrics and the dataset. So an evaluation that was interrupted goes on where it stopped,
    and no track is scored with an earlier model or of earlier data.

    Args:
        source: Gives the estimates.
        scored: The tracks.
        scoring: How.
        execution: Where results are kept.
    """

    def __init__(self, source: EstimateSource, scored: ScoredSet, scoring: Scoring, execution: Execution) -> None:
        self._source, self._scored, self._scoring, self._execution = source, scored, scoring, execution
        self._scenarios = scenarios_of(source, scored, scoring.scenario)
        fingerprint = scored.data.fingerprint(scored.split)
        self._keys: dict[_Place, str] = {}
        for scenario in self._scenarios:
            metric = [str(BSSEVAL.of(scenario.targets)), scoring.backend, scoring.metrics]
            for track in scored.tracks:
                # Results on disk hold these digests: another order or another field would score every track again.
                identity = source.identity(track, scenario.estimates)
                self._keys[scenario.folder, track.name] = records.digest([identity, metric, fingerprint])
        self._found: dict[_Place, TrackResult] = {}
        self._done = 0  # tracks
        self._sdr: dict[str, list[float]] = {}  # of the tracks so far, by target

    def of(self, excerpts: Excerpts | None) -> list[Scores]:
        """The scores of each scenario, tracks in the order of the split; one whose excerpt is wanted is scored again.

        Raises:
            ValueError, RuntimeError: As `score_tracks`.
        """
        waiting = []
        for track in self._scored.tracks:
            lacking = [each for each in self._scenarios if not self._has(each, track)]
            if excerpts is not None and excerpts.wants(track):
                lacking = self._scenarios
            if lacking:
                waiting.append(Task(track, lacking))
            else:
                self._say(track)
        for task, results in score_tracks(self._source, waiting, self._scoring, self._execution.jobs, excerpts):
            for scenario, result in zip(task.scenarios, results, strict=True):
                self._found[scenario.folder, task.track.name] = result
                self._keep(scenario, task.track, result)
            self._say(task.track)
        names = [track.name for track in self._scored.tracks]
        return [Scores(each, {name: self._found[each.folder, name] for name in names}) for each in self._scenarios]

    def _has(self, scenario: Scenario, track: Track) -> bool:
        """Take the result that is kept, if there is one."""
        result = self._read(scenario, track)
        if result is not None:
            self._found[scenario.folder, track.name] = result
        return result is not None

    def _read(self, scenario: Scenario, track: Track) -> TrackResult | None:
        path = self._path(scenario, track)
        if path is None or not path.exists():
            return None
        try:
            result = read_json(path)
            if result["msbench_key"] != self._keys[scenario.folder, track.name]:
                return None
            for scores in track_scores(result).values():
                if not all(isinstance(value, float | int | str | None) for value in scores.values()):
                    return None
        except (ValueError, LookupError, TypeError, AttributeError):  # of another tool, or damaged: scored again
            return None
        return cast("TrackResult", result)

    def _keep(self, scenario: Scenario, track: Track, result: TrackResult) -> None:
        path = self._path(scenario, track)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not write_json: museval writes NaN where a window has no score, and so its readers expect it.
            key = self._keys[scenario.folder, track.name]
            write_text(path, json.dumps({**result, "msbench_key": key}, indent=1))

    def _path(self, scenario: Scenario, track: Track) -> Path | None:
        return self._execution.result_path(scenario.folder, self._scored.split, track.name)

    def _say(self, track: Track) -> None:
        """One more track is done; the medians are of the source's own targets."""
        self._done += 1
        for target, scores in track_scores(self._found["", track.name]).items():
            if scores["SDR"] is not None:
                self._sdr.setdefault(target, []).append(scores["SDR"])
        if self._execution.progress is not None:
            medians = {target: statistics.median(values) for target, values in self._sdr.items()}
            self._execution.progress(self._done, len(self._scored.tracks), track.name, medians)
