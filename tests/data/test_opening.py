"""Opening a dataset by its name, in its published layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.data.opening import open_dataset
from tests.data.layouts.published import write_ccmixter
from tests.data.songs import write_musdb18hq


def test_open_dataset_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugin = tmp_path / "tiny.py"
    plugin.write_text(
        "from msbench.data.layouts.musdb18hq import MUSDB18HQ as HQDataset\nclass Tiny(HQDataset):\n    name = 'tiny'\n"
    )
    monkeypatch.setenv("MSBENCH_PLUGINS", str(plugin))
    data = open_dataset("tiny", write_musdb18hq(tmp_path / "songs"))
    assert data.name == "tiny"
    assert [track.name for track in data.tracks("train")] == ["Song 0", "Song 1", "Song 2"]
    with pytest.raises(KeyError, match=r"unknown dataset 'tinny'. Did you mean tiny\?"):
        open_dataset("tinny")


def test_a_stem_map_where_none_applies(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("targets: {vocals: [voice]}")
    with pytest.raises(ValueError, match=r"dataset 'ccmixter' has the targets vocals, accompaniment: no stem map"):
        open_dataset("ccmixter", write_ccmixter(tmp_path / "cc"), tmp_path / "map.yaml")
