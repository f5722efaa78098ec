"""Tracks scored one after the other here, or several at a time in processes of their own."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from msbench.evaluation.excerpts import Excerpts
from msbench.evaluation.options import Scoring
from msbench.evaluation.sources import EstimateSource
from msbench.evaluation.track import Task, score_track
from msbench.records.types import TrackResult
from msbench.system import errors
from msbench.system.safe_path import safe_path
from msbench.system.threads import limited_threads, processors

_pickled: bytes  # of a worker process: the source, which is sent once and not with each track
_source: EstimateSource | None = None  # the same, from the first track on


def score_tracks(
    source: EstimateSource, tasks: list[Task], scoring: Scoring, jobs: int = 1, excerpts: Excerpts | None = None
) -> Iterator[tuple[Task, list[TrackResult]]]:
    """Each task with its results, as soon as they are there.

    Args:
        source: Gives the estimates.
        tasks: What to score.
        scoring: How.
        jobs: Tracks at a time; each process has its share of the processors.
        excerpts: Which tracks are kept as audio too.

    Raises:
        ValueError: As `score_track`, or if a model cannot be sent to other processes.
        RuntimeError: If a process dies.
    """
    jobs = min(jobs, len(tasks))
    if jobs <= 1:
        for task in tasks:
            yield task, score_track(source, task, scoring, excerpts)
        return
    # spawn: a fork of a process whose libraries have started threads may hang, and these read the variables below.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(_sent(source),))
    try:
        with safe_path(), limited_threads(max(1, processors() // jobs)):
            waiting: dict[Future[list[TrackResult]], Task] = {
                pool.submit(_score, task, scoring, excerpts): task for task in tasks
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


def _score(task: Task, scoring: Scoring, excerpts: Excerpts | None) -> list[TrackResult]:
    try:
        return score_track(_received(), task, scoring, excerpts)
    except Exception as error:
        errors.mark(error)
        raise
