"""A tiny dataset and a tiny model in a single file, for tests that train."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

RATE = 8000

MODEL = '''
"""A tiny model."""
import torch
from torch import nn
from msbench import Separator


class Tiny(Separator):
    """One convolution and dropout."""

    def __init__(self, targets: list[str] = ("voice", "band"), sample_rate: int = 8000, channels: int = 1,
                 width: int = 9, explode: bool = False):
        super().__init__(targets, sample_rate, channels)
        self.conv = nn.Conv1d(channels, channels * len(self.targets), width, padding=width // 2)
        self.dropout = nn.Dropout(0.1)
        self.explode = explode
        self.calls = 0

    def forward(self, mixture):
        x = self.conv(self.dropout(mixture)).unflatten(1, (len(self.targets), -1))
        if self.training:
            self.calls += 1
            if self.explode and self.calls > 6:
                return x * float("nan")
        return x
'''


def write_songs(root: Path, seconds: float = 2.0) -> Path:
    """A folder dataset of two stems: 2 songs to train, 1 to validate, 2 to test."""
    rng = np.random.default_rng(0)
    time = np.arange(int(seconds * RATE)) / RATE
    for split, count in (("train", 2), ("valid", 1), ("test", 2)):
        for number in range(count):
            folder = root / split / f"song {number}"
            folder.mkdir(parents=True)
            voice = 0.3 * np.sin(2 * np.pi * rng.uniform(200, 400) * time)
            band = 0.1 * rng.standard_normal(time.size)
            for name, stem in {"voice": voice, "band": band}.items():
                soundfile.write(folder / f"{name}.wav", stem, RATE, subtype="FLOAT")
    return root


def write_unlabelled(folder: Path) -> Path:
    """A song without stems, and the list of `data silences`, which says that its voice is silent."""
    folder.mkdir()
    soundfile.write(folder / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(3 * RATE), RATE)
    song = {"state": {"bytes": (folder / "a.wav").stat().st_size}, "seconds": 3.0,
            "silent": {"voice": [[0.0, 3.0]], "band": []}}  # fmt: skip
    (folder / "silences.json").write_text(json.dumps({"targets": ["voice", "band"], "songs": {"a.wav": song}}))
    return folder


def write_model(folder: Path) -> Path:
    """The tiny model as a single-file plugin, `tiny`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.py").write_text(MODEL)
    return folder / "tiny.py"


def fit_arguments() -> list[str]:
    """Flags of `msbench fit` for the tiny model on the songs in ./songs, silent and on the CPU."""
    flags = {"name": "tiny", "data.dataset": "folder", "data.root": "songs", "data.chunk_seconds": "0.25",
             "data.chunks_per_epoch": "8", "data.batch_size": "2", "trainer.enable_progress_bar": "false",
             "trainer.enable_model_summary": "false", "trainer.accelerator": "cpu"}  # fmt: skip
    return [part for key, value in flags.items() for part in (f"--{key}", value)]
