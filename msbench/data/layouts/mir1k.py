"""MIR-1K: Wavfile/<singer>_<song>_<clip>.wav at 16 kHz."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from msbench.data.dataset import default_root
from msbench.data.layouts.bases.karaoke import MUSIC, VOICE, Karaoke
from msbench.data.layouts.stem_map import MappedDataset
from msbench.data.track import Channel, FileOrChannel, Track

_TRAINING_SINGERS = ("abjones", "amy")
_VALIDATION_CLIPS = ("abjones_5_08", "abjones_5_09", "amy_9_08", "amy_9_09")


class MIR1K(MappedDataset, Karaoke):
    """MIR-1K (Hsu and Jang 2010): 1000 clips by 19 amateur singers at 16 kHz; left the accompaniment, right the voice.

    Split by singer as Huang et al. (2014) do: one man and one woman are trained on, the others tested on. The four
    clips to validate on are those of the dev set that their published code comes with.

    The mixture is the sum of the two channels as recorded; `mir1k_0db` has them at equal energies, as Huang et al. mix
    them. Names, channels and splits were read from the 1000 clips of posenhuang/deeplearningsourceseparation; MIR-1K's
    own folder has the clips side by side in Wavfile/.

    Args:
        root: Folder of Wavfile/.
        stem_map: See MappedDataset; the recordings are called "voice" and "music".
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
    verified = "the 1000 clips of posenhuang/deeplearningsourceseparation"
    at_0_db = False

    def __init__(self, root: str | Path | None = None, stem_map: str | Path | None = None) -> None:
        super().__init__(root, stem_map)
        if self.at_0_db or self.map.options.get("at_0_db"):
            self.mix = "at 0 dB"
            self.version += f" {self.mix}"

    def split_of(self, clip: str) -> str:
        if clip in _VALIDATION_CLIPS:
            return "valid"
        return "train" if clip.partition("_")[0] in _TRAINING_SINGERS else "test"

    def track(self, path: Path, split: str) -> Track:
        voice, music = Channel(path, VOICE), Channel(path, MUSIC)
        labelled: dict[FileOrChannel, tuple[str, ...]] = {voice: ("voice",), music: ("music",)}
        gains: dict[FileOrChannel, float] = {music: _music_gain(path)} if self.mix else {}
        return Track(path.stem, split, self.label_stems(labelled, gains), sums=self.sums)


class MIR1KAt0dB(MIR1K):
    """MIR-1K mixed at 0 dB (Huang et al. 2014): the accompaniment of each clip gets the energy of its voice.

    Their code divides each channel by its norm and adds the two, in training (codes/mir1k/formulate_data.m:105-106 of
    posenhuang/deeplearningsourceseparation, commit 6a6e54d) and in testing (test_mir1k_general_kl_bss3.m:69-71). Here
    the voice keeps its level, so that mixture and stems of a clip are theirs times one factor, which is some 50 dB and
    leaves BSSEval, SI-SDR, SNR and NSDR as they are. The 1000 clips published there have that ratio already, to
    0.006 dB.

    Args:
        root: Folder of Wavfile/; that of `mir1k` when not given.
        stem_map: As for `mir1k`.
    """

    name = "mir1k_0db"
    at_0_db = True

    def __init__(self, root: str | Path | None = None, stem_map: str | Path | None = None) -> None:
        super().__init__(default_root(MIR1K.name) if root is None else root, stem_map)


def _music_gain(path: Path) -> float:
    """What gives a clip's music the energy of its voice; 1 where one of them is silent."""
    try:
        energies = np.sum(np.square(soundfile.read(path, always_2d=True)[0]), axis=0)
    except (OSError, soundfile.SoundFileError):
        return 1.0  # said when the track is checked
    silent = len(energies) <= VOICE or not np.all(energies > 0)
    return 1.0 if silent else math.sqrt(energies[VOICE] / energies[MUSIC])
