"""MIR-1K in its published layout."""

from __future__ import annotations

from pathlib import Path

from msbench.data.opening import open_dataset
from tests.data.layouts.published import names, write_mir1k


def test_mir1k(tmp_path: Path) -> None:
    data = open_dataset("mir1k", write_mir1k(tmp_path / "MIR-1K"))
    found = names(data)
    assert found["train"] == ["abjones_1_01", "amy_1_01"]
    assert found["valid"] == ["abjones_5_08", "amy_9_09"]
    assert found["test"] == ["Kenshin_1_01", "ariel_2_07"]
    assert len(found["all"]) == 6
    assert data.tracks("all")[0].sample_rate == 16000
