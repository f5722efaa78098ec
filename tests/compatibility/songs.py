"""Writes songs/ (2 to train, 1 to validate, 2 to test), few/ (1 to test), unlabelled/, tiny.py and tiny.yaml here."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS = 4000, 2
RECIPE = """\
name: tiny
separator: {sample_rate: 4000, targets: [voice, band]}
data: {chunk_seconds: 0.25, chunks_per_epoch: 8, batch_size: 2}
trainer: {accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
"""
MODEL = '''\
"""A tiny model."""

from torch import nn

from msbench import Separator


class Tiny(Separator):
    """One convolution and dropout."""

    def __init__(
        self, targets: list[str] = ("voice", "band"), sample_rate: int = 8000, channels: int = 1, width: int = 9
    ):
        super().__init__(targets, sample_rate, channels)
        self.conv = nn.Conv1d(channels, channels * len(self.targets), width, padding=width // 2)
        self.dropout = nn.Dropout(0.1)

    def forward(self, mixture):
        return self.conv(self.dropout(mixture)).unflatten(1, (len(self.targets), -1))
'''


def main() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(SECONDS * RATE) / RATE
    for split, count in (("train", 2), ("valid", 1), ("test", 2)):
        for number in range(count):
            folder = Path("songs", split, f"song {number}")
            folder.mkdir(parents=True)
            voice = 0.3 * np.sin(2 * np.pi * rng.uniform(200, 400) * time)
            stems = {"voice": voice, "band": 0.01 * rng.standard_normal(time.size)}
            for name, stem in {**stems, "mixture": sum(stems.values())}.items():
                soundfile.write(folder / f"{name}.flac", stem, RATE)
    shutil.copytree("songs/test/song 0", "few/test/song 0")
    Path("unlabelled").mkdir()
    chirp = 0.3 * np.sin(2 * np.pi * RATE / 4 * np.arange(8 * RATE) ** 2 / (8 * RATE) / RATE)  # from 0 to 2000 Hz
    soundfile.write("unlabelled/a.flac", chirp, RATE)
    Path("tiny.py").write_text(MODEL)
    Path("tiny.yaml").write_text(RECIPE)


if __name__ == "__main__":
    main()
