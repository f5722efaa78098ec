"""Private names of Lightning and torch that msbench cannot do without: all of them, and what each is needed for.

Each is checked with the releases below, by `make environments`. Where a name is gone, the sentence says so, rather than
that a run goes on otherwise than before.
"""

from __future__ import annotations

from typing import Any

CHECKED = "Lightning 2.6 and torch 2.4 to 2.15"


def leave_signals_alone(trainer: Any) -> None:
    """Keep a Lightning Trainer from putting its handler of SIGTERM in place of ours.

    Its handler broadcasts from within the signal, where the other ranks are elsewhere: they hang. There is no setting.

    Raises:
        RuntimeError: If Lightning has no such name any more.
    """
    connector = _private(trainer, "_signal_connector")
    _private(connector, "register_signal_handlers")
    connector.register_signal_handlers = lambda: None


def begin_next_epoch(loop: Any) -> None:
    """Make Lightning's fit loop, restored from a checkpoint at the end of an epoch, begin the next one.

    The setter of the loop's own class always says yes where max_steps is set; that of its base does as it is told.

    Raises:
        RuntimeError: If Lightning has no such name any more.
    """
    base = next((kind for kind in type(loop).__mro__ if kind.__name__ == "_Loop"), None)
    _private(base, "restarting").fset(loop, False)


def end_workers(iterator: Any) -> None:
    """End the worker processes of a torch DataLoader's iterator, as far as it has any.

    torch does so when the iterator is collected, which a traceback that is held may put off for ever.

    Raises:
        RuntimeError: If torch has no such name any more.
    """
    if type(iterator).__name__ == "_MultiProcessingDataLoaderIter":
        _private(iterator, "_shutdown_workers")()


def _private(owner: Any, name: str) -> Any:
    found = getattr(owner, name, None)
    if found is None:
        kind = owner if isinstance(owner, type) else type(owner)
        raise RuntimeError(
            f"{kind.__module__}.{kind.__qualname__} has no {name}: msbench was checked with {CHECKED}, install these"
        )
    return found
