"""The metrics by name: their ids, and what cannot be scored."""

from __future__ import annotations

import sys

import pytest

from msbench.metrics import catalogue


def test_ids_tell_the_targets_where_they_count() -> None:
    ids = catalogue.metric_ids(catalogue.NAMES, ["vocals", "bass"])
    assert len(set(ids.values())) == len(catalogue.NAMES)
    assert all(metric_id.split(";")[0] == name for name, metric_id in ids.items())
    assert [name for name, metric_id in ids.items() if "targets=bass,vocals" in metric_id] == [
        "si-sir",
        "si-sar",
        "mean-sdr",
    ]


def test_what_cannot_be_scored_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.check_names(catalogue.NAMES, ["vocals", "rest"])
    with pytest.raises(ValueError, match=r"unknown metric 'si-sdrr'\. Did you mean si-sdr"):
        catalogue.check_names(["si-sdrr"], ["vocals"])
    with pytest.raises(ValueError, match=r"stoi scores voices \(vocals, voice, speech\), not drums, bass"):
        catalogue.check_names(["stoi"], ["drums", "bass"])
    monkeypatch.setattr(sys, "path", [])
    for name in ("pystoi", "pesq"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'msbench\[perceptual\]'"):
        catalogue.check_names(["pesq"], ["vocals"])
