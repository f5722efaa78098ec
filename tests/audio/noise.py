"""The signal that tests of audio files write."""

import numpy as np

RATE = 44100


def noise(frames, channels=2, seed=0):
    return (np.random.default_rng(seed).standard_normal((frames, channels)) * 0.1).astype(np.float32)
