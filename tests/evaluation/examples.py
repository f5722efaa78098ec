"""A model, and files of its estimates, for the tests of evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from msbench.data.dataset import Dataset
from msbench.model.separator import Separator
from msbench.separation.batch import separate_files
from tests.tiny import RATE


class Filter(Separator):
    """Not linear, and not quite right."""

    def __init__(self, targets: Any = ("voice", "band"), sample_rate: int = RATE, channels: int = 1) -> None:
        super().__init__(targets, sample_rate, channels)

    def forward(self, mixture: torch.Tensor) -> torch.Tensor:
        voice = torch.tanh(3 * torch.nn.functional.avg_pool1d(mixture, 3, 1, 1)) / 4
        return torch.stack([voice, mixture - voice, mixture][: len(self.targets)], 1)


def write_estimates(folder: Path, data: Dataset, model: Separator, extension: str = "wav", split: str = "test") -> Path:
    """The files that a model separates, in museval's layout."""
    for track in data.tracks(split):
        mixture = folder / f"{track.name}.wav"
        mixture.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(mixture, track.read("mixture").T, track.sample_rate, subtype="FLOAT")
        separate_files(model, [mixture], folder / split, format={"wav": "wav32f", "flac": "flac"}[extension])
        mixture.unlink()
    return folder


def path_of(data: Dataset, track: str, target: str) -> Path:
    return data.root / "test" / track / f"{target}.wav"


def scores_of(record: dict[str, Any]) -> Any:
    return [record[part] for part in ("scores", "metric", "dataset")]


def rewrite(path: Path, samples: np.ndarray | None = None, rate: int = RATE) -> None:
    soundfile.write(path, soundfile.read(path)[0] if samples is None else samples, rate, subtype="FLOAT")


def not_a_number(estimate: Path) -> None:
    samples, _ = soundfile.read(estimate)
    samples[RATE] = np.nan
    rewrite(estimate, samples)
