"""MIR-1K: Wavfile/<singer>_<song>_<clip>.wav at 16 kHz."""

from __future__ import annotations

from collections.abc import Mapping

from msbench.data.layouts.bases.karaoke import Karaoke

_TRAINING_SINGERS = ("abjones", "amy")
_VALIDATION_CLIPS = ("abjones_5_08", "abjones_5_09", "amy_9_08", "amy_9_09")


class MIR1K(Karaoke):
    """MIR-1K (Hsu and Jang 2010): 1000 clips by 19 amateur singers at 16 kHz; left the accompaniment, right the voice.

    Split by singer as Huang et al. (2014) do: one man and one woman are trained on, the others tested on. The four
    clips to validate on are those of the dev set that their published code comes with.
    """

    name = "mir1k"
    download = "http://mirlab.org/dataset/public/"
    licence = "not stated; for research"
    citation = (
        'Hsu and Jang, "On the improvement of singing voice separation for monaural recordings using the MIR-1K '
        'dataset", IEEE Trans. Audio, Speech, and Language Processing 18(2), 2010'
    )
    rule = (
        "of Huang et al. (2014): train the singers abjones and amy, valid four of their clips, test the other 17 "
        "singers; all: every clip"
    )
    published: Mapping[str, int] = {"train": 171, "valid": 4, "test": 825, "all": 1000}
    rates = (16000,)

    def split_of(self, clip: str) -> str:
        if clip in _VALIDATION_CLIPS:
            return "valid"
        return "train" if clip.partition("_")[0] in _TRAINING_SINGERS else "test"
