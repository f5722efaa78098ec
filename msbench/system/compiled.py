"""Loops over arrays, compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of loops over arrays, compiled at its first call, once per machine and kind of arguments.

    It runs without Python's lock, so that threads can share the work.

    Args:
        function: What numba can compile. The code is kept in a file beside the function's own, where it can be.
    """
    import numba  # here, as commands that compute nothing need not wait for it

    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # there is no folder to keep it in
        return numba.njit(nogil=True)(function)
