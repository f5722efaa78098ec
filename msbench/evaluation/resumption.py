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
from msbench.evaluation.sources import EstimateSource, ScoredSet
from msbench.evaluation.track import scored_targets, track_scores
from msbench.records.metric_id import BSSEVAL
from msbench.records.types import TrackResult
from msbench.system.bounded import read_json
from msbench.system.files import write_text


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
        targets = scored_targets(source.targets, scored.tracks[0])
        metric = [str(BSSEVAL.of(targets)), scoring.backend, scoring.metrics]
        fingerprint = scored.data.fingerprint(scored.split)
        # Results on disk hold these digests: another order or another field here would score every track again.
        self._keys = {
            track.name: records.digest([source.identity(track), metric, fingerprint]) for track in scored.tracks
        }
        self._found: dict[str, TrackResult] = {}
        self._sdr: dict[str, list[float]] = {}  # of the tracks so far, by target

    def of(self, excerpts: Excerpts | None) -> dict[str, TrackResult]:
        """{track: result}, in the order of the split; a track whose excerpt is wanted is scored again.

        Raises:
            ValueError, RuntimeError: As `score_tracks`.
        """
        waiting = []
        for track in self._scored.tracks:
            result = self._read(track)
            if result is None or (excerpts is not None and excerpts.wants(track)):
                waiting.append(track)
            else:
                self._add(track, result)
        for track, result in score_tracks(self._source, waiting, self._scoring, self._execution.jobs, excerpts):
            self._keep(track, result)
            self._add(track, result)
        return {track.name: self._found[track.name] for track in self._scored.tracks}

    def _read(self, track: Track) -> TrackResult | None:
        path = self._path(track)
        if path is None or not path.exists():
            return None
        try:
            result = read_json(path)
            if result["msbench_key"] != self._keys[track.name]:
                return None
            for scores in track_scores(result).values():
                if not all(isinstance(value, float | int | str | None) for value in scores.values()):
                    return None
        except (ValueError, LookupError, TypeError, AttributeError):  # of another tool, or damaged: scored again
            return None
        return cast("TrackResult", result)

    def _keep(self, track: Track, result: TrackResult) -> None:
        path = self._path(track)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not write_json: museval writes NaN where a window has no score, and so its readers expect it.
            write_text(path, json.dumps({**result, "msbench_key": self._keys[track.name]}, indent=1))

    def _path(self, track: Track) -> Path | None:
        return self._execution.result_path(self._scored.split, track.name)

    def _add(self, track: Track, result: TrackResult) -> None:
        self._found[track.name] = result
        for target, scores in track_scores(result).items():
            if scores["SDR"] is not None:
                self._sdr.setdefault(target, []).append(scores["SDR"])
        if self._execution.progress is not None:
            medians = {target: statistics.median(values) for target, values in self._sdr.items()}
            self._execution.progress(len(self._found), len(self._scored.tracks), track.name, medians)
