"""Files of strangers: read as data, and refused where they hold more."""

from __future__ import annotations

import collections
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from msbench.model.checkpoint_file import Inert
from msbench.weights.reading import plain_state, read_weights
from tests.hostile.pickles import Code, checkpoints

STATE = {"a.weight": torch.ones(2, dtype=torch.float16), "count": torch.tensor(3)}


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    """All that are no data at all; those of wrong types are the converters' to refuse."""
    for kind, content in checkpoints(tmp_path / "canary").items():
        (tmp_path / "a.th").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.th") as told:
            plain_state(read_weights(tmp_path / "a.th", ["demucs.demucs.Demucs"]), "a.th")
        assert "weights_only" not in str(told.value), kind
    assert not (tmp_path / "canary").exists()


def test_a_class_that_may_be_named_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Network:
        def __init__(self) -> None:
            self.held = 1

        def __reduce__(self) -> Any:
            return Network, (Code(tmp_path / "canary"),) if hostile else (3, "x")

    module = types.ModuleType("made_up")
    Network.__module__, Network.__qualname__ = "made_up", "Network"
    module.Network = Network  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_up", module)
    before = torch.serialization.get_safe_globals()
    for hostile in (False, True):
        torch.save({"klass": Network, "one": Network(), "state": STATE}, tmp_path / f"{hostile}.th")
    monkeypatch.delitem(sys.modules, "made_up")
    with pytest.raises(ValueError, match=r"it holds code \(made_up.Network\), which is not run"):
        read_weights(tmp_path / "False.th")
    content = read_weights(tmp_path / "False.th", ["made_up.Network"])
    assert issubclass(content["klass"], Inert)
    assert content["one"].arguments == (3, "x")
    with pytest.raises(ValueError, match=r"it holds code \(\w+.system\), which is not run"):
        read_weights(tmp_path / "True.th", ["made_up.Network"])
    assert not (tmp_path / "canary").exists()
    assert set(torch.serialization.get_safe_globals()) == set(before)  # torch keeps no order


def test_weights_are_of_single_precision() -> None:
    state = plain_state(collections.OrderedDict(STATE), "a.th")
    assert [value.dtype for value in state.values()] == [torch.float32, torch.int64]


@pytest.mark.parametrize("state", [{}, None, [1], {"a": 1}, {1: torch.ones(1)}, {"a": torch.ones(1, device="meta")}])
def test_what_is_no_state(state: Any) -> None:
    with pytest.raises(ValueError, match=r"a\.th holds "):
        plain_state(state, "a.th")
