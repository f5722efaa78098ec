"""iKala: Wavfile/<song>_{verse,chorus}.wav."""

from __future__ import annotations

from collections.abc import Mapping

from msbench.data.dataset import divide
from msbench.data.layouts.bases.karaoke import Karaoke


class IKala(Karaoke):
    """iKala (Chan et al. 2015): 252 public clips of 30 s, Mandarin pop; left the accompaniment, right the voice.

    No splits are published: the clips of a song go together, by the SHA-256 of the song's number. Names and channels
    are those of mir-dataset-loaders/mirdata (mirdata/datasets/ikala.py, and a clip in tests/resources).
    """

    name = "ikala"
    download = "http://mac.citi.sinica.edu.tw/ikala/"
    licence = "for research only, on request; no longer distributed by its authors"
    citation = 'Chan et al., "Vocal activity informed singing voice separation with the iKala dataset", ICASSP 2015'
    rule = "train 70 %, valid 10 %, test 20 % by the SHA-256 of the song's number; all: every clip"
    published: Mapping[str, int] = {"all": 252}
    rates = (44100,)
    verified = "a clip of mir-dataset-loaders/mirdata's tests"

    def split_of(self, clip: str) -> str:
        return divide(clip.partition("_")[0], {"train": 0.7, "valid": 0.1, "test": 0.2})
