"""Tracks scored one after the other here, or several at a time in processes of their own."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from msbench.data.track import Track
from msbench.evaluation.excerpts import Excerpts
from msbench.evaluation.options import Scoring
from msbench.evaluation.sources import EstimateSource
from msbench.evaluation.track import score_track
from msbench.records.types import TrackResult
from msbench.system import errors
from msbench.system.safe_path import safe_path
from msbench.system.threads import limited_threads, processors

_pickled: bytes  # of a worker process: the source, which is sent once and not with each track
_source: EstimateSource | None = None  # the same, from the first track on


def score_tracks(
    source: EstimateSource, tracks: list[Track], scoring: Scoring, jobs: int = 1, excerpts: Excerpts | None = None
) -> Iterator[tuple[Track, TrackResult]]:
    """Each track with its result, as soon as it is there.

    Args:
        source: Gives the estimates.
        tracks: What to score.
        scoring: How.
        jobs: Tracks at a time; each process has its share of the processors.
        excerpts: Which tracks are kept as audio too.

    Raises:
        ValueError: As `score_track`, or if a model cannot be sent to other processes.
        RuntimeError: If a process dies.
    """
    jobs = min(jobs, len(tracks))
    if jobs <= 1:
        for track in tracks:
            yield track, score_track(source, track, scoring, excerpts)
        return
    # spawn: a fork of a process whose libraries have started threads may hang, and these read the variables below.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(_sent(source),))
    try:
        with safe_path(), limited_threads(max(1, processors() // jobs)):
            waiting: dict[Future[TrackResult], Track] = {
                pool.submit(_score, track, scoring, excerpts): track for track in tracks
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


def _sent(source: EstimateSource) -> bytes:
    try:
        return pickle.dumps(source)
    except (pickle.PicklingError, AttributeError, TypeError) as error:  # whichever kind, it depends on the object
        if errors.is_deliberate(error):
            raise
        raise _unsendable(error) from error


def _unsendable(error: Exception) -> ValueError:
    return ValueError(
        f"the model cannot be sent to other processes ({errors.sentence(error)}): evaluate it with jobs=1, or define "
        "it in a module that can be imported"
    )


def _start(pickled: bytes) -> None:
    global _pickled  # noqa: PLW0603 -- what a pool's initializer can leave behind
    _pickled = pickled


def _received() -> EstimateSource:
    # Not in the initializer: what is raised there ends the process, and its sentence is lost.
    global _source  # noqa: PLW0603
    if _source is None:
        try:
            _source = pickle.loads(_pickled)
        except (AttributeError, ModuleNotFoundError) as error:  # a class of a notebook, or of a module not found there
            if errors.is_deliberate(error):
                raise
            raise _unsendable(error) from error
    return _source


def _score(track: Track, scoring: Scoring, excerpts: Excerpts | None) -> TrackResult:
    try:
        return score_track(_received(), track, scoring, excerpts)
    except Exception as error:
        errors.mark(error)
        raise
