"""A model built again with the options of a checkpoint, which a stranger may have written.

Nothing larger than the file is allocated: the model is first built without memory, on torch's meta device, and compared
with the weights. What a constructor does outside torch is bounded by limits on memory and on processor time.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from msbench.model.separator import Separator
from msbench.system.memory import limited_memory

SECONDS = 5.0  # of processor time that a constructor may take where nothing is computed
VALUES_PER_SECOND = 10**6  # and in addition where values are drawn, by far the slowest that a machine does
SPARE = 2**22  # values that a model may have and its file not: windows, filter banks
WORKSPACE = 2**30  # bytes for all else that a constructor makes, Python's objects among them
_WIDENING = 4  # bytes in memory per byte of the file: float16 that becomes float32, and a copy


class _Overtime(BaseException):
    """The time is over; no `except Exception` of a constructor keeps it."""


def rebuild(
    path: Path,
    build: Callable[[], Separator],
    weights: Mapping[str, Tensor],
    refuse_misfit: Callable[[Separator], None],
) -> Separator:
    """Build a model for weights that are there; where they do not fit it, it takes no memory.

    A constructor that cannot run on the meta device is run within the limits on memory and time alone.

    Args:
        path: The checkpoint, for the errors.
        build: The constructor's call. Its module is imported already, as all that is made meanwhile is without memory.
        weights: The model's parameters and buffers, as the file holds them, on the CPU.
        refuse_misfit: Raises ValueError where names or shapes differ.

    Raises:
        ValueError: If the weights do not fit, or the model would be larger than the file or take too long to build.
    """
    stored = _storages(weights).values()
    held, size = sum(count for count, _ in stored), sum(size for _, size in stored)
    with _limits(path, SECONDS, WORKSPACE):
        outline = _outline(build)
    if outline is not None:
        refuse_misfit(outline)
        if (count := _values(outline)) > held + SPARE:
            raise ValueError(f"{path}: with its options, the model has {count:,} values, and the file holds {held:,}")
    with _limits(path, SECONDS + held / VALUES_PER_SECOND, _WIDENING * size + WORKSPACE):
        separator = build()
    refuse_misfit(separator)
    if any(tensor.is_meta for tensor in (*separator.parameters(), *separator.buffers())):
        raise RuntimeError(
            f"the constructor of {type(separator).__name__} keeps tensors from one call to the next, and those of a "
            "call on the meta device have no values: compute them in each call"
        )
    return separator


@contextlib.contextmanager
def _limits(path: Path, seconds: float, most: int) -> Iterator[None]:
    try:
        with _limited_time(seconds), limited_memory(most):
            yield
    except _Overtime as error:
        raise ValueError(f"{path}: with its options, the model takes too long to build") from error
    except Exception as error:
        if not _is_shortage(error):
            raise
        raise ValueError(f"{path}: with its options, the model takes far more memory than the file") from error


def _outline(build: Callable[[], Separator]) -> Separator | None:
    """The model without memory; None where its constructor fails: on that device, or as a real call will tell."""
    try:
        with torch.device("meta"):
            return build()
    except Exception as error:
        if _is_shortage(error):
            raise
        return None


def _is_shortage(error: BaseException | None) -> bool:
    """Whether the system refused memory, or an error says so of its cause; torch says it in words alone."""
    if error is None:
        return False
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error) or _is_shortage(error.__cause__)


def _values(separator: Separator) -> int:
    """The numbers that a model holds, those in buffers that no file keeps among them."""
    tensors = (*separator.parameters(), *separator.buffers())  # what is shared comes once
    return sum(tensor.untyped_storage().nbytes() // tensor.element_size() for tensor in tensors)


def _storages(weights: Mapping[str, Tensor]) -> dict[int, tuple[int, int]]:
    """(values, bytes) of what is there for weights, whatever they claim: by its stride, one value stands for many."""
    stored = {}
    for tensor in weights.values():
        storage = tensor.untyped_storage()
        stored[storage.data_ptr()] = (storage.nbytes() // tensor.element_size(), storage.nbytes())
    return stored


@contextlib.contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    """Raise _Overtime within, after so much processor time; never outside the main thread, which alone gets signals."""
    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_VIRTUAL)[0]:
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 1.0)  # again each second, should the first be lost in a destructor
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Overtime
