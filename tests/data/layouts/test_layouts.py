"""Every dataset of ours in its published layout: what all of them promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench import registry
from msbench.data import opening
from msbench.data.dataset import NOT_VERIFIED
from msbench.data.opening import open_dataset
from tests.data.layouts.published import WRITERS


def test_every_dataset_of_ours_is_tested_in_its_layout() -> None:
    ours = {name for name, entry in registry.entries("datasets").items() if entry.module.startswith("msbench.")}
    assert ours == {*WRITERS, "demo", "musdb18"}  # the demo writes itself; stem.mp4 is in test_musdb18


def test_what_layouts_were_verified_on_is_in_the_table_of_datasets() -> None:
    """As `data card` prints it, so that neither says more than the other."""
    page = Path(opening.__file__).with_name("README.md").read_text("utf-8")
    _, table = page.split("| name | layout | layout verified on |")
    rows = [line.split(" | ") for line in table.split("\n\n")[0].splitlines() if line.startswith("| `")]
    listed = {row[0].strip("|` "): row[2] for row in rows}
    names = {name for name, entry in registry.entries("datasets").items() if entry.module.startswith("msbench.")}
    assert listed == {name: registry.load("datasets", name).verified or "yours" for name in names}
    assert [name for name in listed if listed[name] == "yours"] == ["folder"]
    unverified = {name for name, cell in listed.items() if cell.startswith(NOT_VERIFIED)}
    assert unverified == {"quasi"}


@pytest.mark.parametrize("name", WRITERS)
def test_stems_are_read_in_parts_as_the_whole(name: str, tmp_path: Path) -> None:
    data = open_dataset(name, WRITERS[name](tmp_path / name))
    assert data.licence
    assert data.rule
    found = [track for split in data.splits for track in data.tracks(split)]
    assert found
    for track in found:
        assert track.targets == data.targets
        assert track.stems == data.stems
        for target in (*track.targets, "mixture"):
            whole = track.read(target)
            assert whole.shape == (track.channels, track.frames)
            np.testing.assert_allclose(track.read(target, 1000, 500), whole[:, 1000:1500], atol=1e-7)
        assert np.any(track.read("mixture"))
