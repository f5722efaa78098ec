"""How far long work on a dataset is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

TrackProgress = Callable[[int, int], None]  # (songs done, songs in all)


@contextmanager
def progress_bar(progress: TrackProgress | None, text: str) -> Iterator[TrackProgress]:
    """What to tell the progress: the caller's function, or a bar on stderr where that is a terminal."""
    if progress is not None:
        yield progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(text, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
