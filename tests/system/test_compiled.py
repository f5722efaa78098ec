"""Compiled loops: the same results, once compiled, where no cache can be written too."""

from __future__ import annotations

import numpy as np
import pytest

from msbench.system.compiled import compiled


def twice(values: np.ndarray) -> None:
    for i in range(len(values)):
        values[i] *= 2


def test_a_loop_is_compiled_once() -> None:
    values = np.arange(3.0)
    compiled(twice)(values)
    assert values.tolist() == [0, 2, 4]
    assert compiled(twice) is compiled(twice)


def test_a_loop_that_can_be_kept_nowhere_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    compile_in_memory = numba.njit

    def no_folder(**options: bool):  # type: ignore[no-untyped-def]
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return compile_in_memory(**options)

    monkeypatch.setattr(numba, "njit", no_folder)
    values = np.arange(3.0)
    compiled.__wrapped__(twice)(values)
    assert values.tolist() == [0, 2, 4]
