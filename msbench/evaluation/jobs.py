"""Tracks scored one after the other here, or side by side in processes of their own."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from msbench.data.track import Track
from msbench.evaluation.sources import Source
from msbench.evaluation.track import Settings, score_track
from msbench.system import errors
from msbench.system.threads import limited_threads, processors

_source: Source  # of a worker process: a model is sent once, not with each track


def score_tracks(
    source: Source, tracks: list[Track], settings: Settings, jobs: int
) -> Iterator[tuple[Track, dict[str, Any]]]:
    """Each track with its result, as soon as it is there.

    Args:
        source: Gives the estimates.
        tracks: What to score.
        settings: How.
        jobs: Tracks at a time; each process has its share of the processors.

    Raises:
        ValueError: As `score_track`, or if `jobs` is below one.
        RuntimeError: If a process dies.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    jobs = min(jobs, len(tracks))
    if jobs <= 1:
        for track in tracks:
            yield track, score_track(source, track, settings)
        return
    # spawn: a fork of a process whose libraries have started threads may hang, and these read the variables below.
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_start, initargs=(pickle.dumps(source),)
    )
    try:
        with limited_threads(max(1, processors() // jobs)):
            waiting: dict[Future[dict[str, Any]], Track] = {
                pool.submit(_score, track, settings): track for track in tracks
            }
        for done in as_completed(waiting):
            yield waiting[done], done.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that scored a track died, for lack of memory perhaps: the same command with fewer jobs goes on "
            "from here"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(source: bytes) -> None:
    global _source  # noqa: PLW0603 -- what a pool's initializer can leave behind
    _source = pickle.loads(source)


def _score(track: Track, settings: Settings) -> dict[str, Any]:
    try:
        return score_track(_source, track, settings)
    except Exception as error:
        errors.mark(error)
        raise
