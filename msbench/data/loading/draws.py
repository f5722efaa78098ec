"""Random numbers of chunks: each chunk, and each purpose within it, has a stream of its own."""

from __future__ import annotations

import numpy as np

# What a chunk's further streams are for. The values are part of every chunk ever drawn, so a new purpose comes last.
REDRAW, HEARD, ORDER, STRETCH, PITCH, FORMANTS, BAD, REMIX, GROUP, SHIFT, REPITCH, MIXUP, EFFECTS = range(13)


def stream(seed: int, number: int, *purpose: int) -> np.random.Generator:
    """The random numbers of chunk `number`, or those spawned from it for one purpose.

    A spawned stream shares nothing with the others, so an option that is switched on leaves the other draws as they
    were.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, *purpose)))
