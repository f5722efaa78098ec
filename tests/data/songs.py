"""Tiny songs in the true layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 8000
STEMS = ("vocals", "drums", "bass", "other")


def noise(seed: int, frames: int = RATE, channels: int = 2) -> np.ndarray:
    """(frames, channels) int16, quiet enough for eight of them to be added."""
    return np.random.default_rng(seed).integers(-4000, 4000, (frames, channels), dtype=np.int16)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path


def write_song(folder: Path, seed: int, frames: int = RATE, channels: int = 2, rate: int = RATE) -> Path:
    """mixture.wav and the four stems it is the sum of; each stem follows from (seed, its place in STEMS)."""
    stems = [noise(10 * seed + i, frames, channels) for i in range(len(STEMS))]
    for name, samples in zip((*STEMS, "mixture"), (*stems, sum(stems)), strict=True):
        write(folder / f"{name}.wav", samples, rate)
    return folder


def write_musdb18hq(root: Path, *, train: int = 3, valid: int = 1, test: int = 1, frames: int = RATE) -> Path:
    """Songs of different lengths, "Song 0" and on, in the layout of MUSDB18-HQ with a folder valid/."""
    seed = 0
    for split, count in (("train", train), ("valid", valid), ("test", test)):
        for _ in range(count):
            write_song(root / split / f"Song {seed}", seed, frames + 100 * seed)
            seed += 1
    return root
