"""Datasets with the voice on the right channel: what is said where there are no such clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.data.opening import open_dataset
from tests.data.layouts.published import FRAMES, store
from tests.data.songs import noise


def test_karaoke_without_clips(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no tracks of 'mir1k' in .*: its root must hold Wavfile/\*.wav"):
        open_dataset("mir1k", tmp_path).tracks("test")
    store(tmp_path / "Wavfile" / "amy_1_01.wav", noise(0, FRAMES, 1), 16000)
    with pytest.raises(ValueError, match=r"amy_1_01.wav has 1 channels, and its channel 2 holds a stem"):
        open_dataset("mir1k", tmp_path).tracks("train")
