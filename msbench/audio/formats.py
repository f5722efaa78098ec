"""The formats that stems are written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Format:
    """A format of audio files, as libsndfile writes it.

    Attributes:
        extension: Of its files.
        container, subtype: What libsndfile calls them.
        unbounded: Whether it holds samples beyond full scale.
        encoding: Further keywords of `soundfile.SoundFile`.
    """

    extension: str
    container: str
    subtype: str
    unbounded: bool = False
    encoding: Mapping[str, Any] = field(default_factory=dict)


FORMATS = {
    "wav16": Format("wav", "WAV", "PCM_16"),
    "wav24": Format("wav", "WAV", "PCM_24"),
    "wav32f": Format("wav", "WAV", "FLOAT", unbounded=True),
    "flac": Format("flac", "FLAC", "PCM_24"),
    "mp3": Format("mp3", "MP3", "MPEG_LAYER_III", encoding={"bitrate_mode": "CONSTANT", "compression_level": 0.0}),
    "ogg": Format("ogg", "OGG", "VORBIS", encoding={"compression_level": 0.2}),
}
SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3}  # of other subtypes at most 4


def encoded(block: np.ndarray, subtype: str) -> np.ndarray:
    """(channels, frames) float32 as the (frames, channels) that a file of this subtype is written from.

    What was read from 16 or 24 bits becomes the same bits; libsndfile's own conversion scales by 32767. Samples beyond
    full scale are cut where the subtype cannot hold them.
    """
    bits = 8 * SAMPLE_BYTES.get(subtype, 0)
    if not bits:
        return np.ascontiguousarray(block.T, dtype=np.float32)
    scale = 2 ** (bits - 1)
    whole = np.clip(np.rint(block.T.astype(np.float64) * scale), -scale, scale - 1)
    # libsndfile takes 24 bits from the upper three bytes of 32.
    return np.ascontiguousarray(whole, np.int16) if bits == 16 else np.ascontiguousarray(whole, np.int32) << 8
