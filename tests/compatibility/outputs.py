"""Writes beside each checkpoint what its model makes of a fixed mixture: python outputs.py CHECKPOINT..."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import msbench


def output(checkpoint: Path) -> np.ndarray:
    """(targets, frames) for a chirp; the same on every machine, but for rounding."""
    chirp = torch.sin(torch.arange(400, dtype=torch.float64) ** 2 / 500).float()
    with torch.inference_mode():
        return msbench.load(checkpoint).eval()(chirp[None, None])[0, :, 0].numpy()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        np.save(Path(name).with_suffix(".npy"), output(Path(name)))
