"""ccMixter: <track>/{mix,source-01,source-02}.wav; source-01 is the accompaniment, source-02 the voice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msbench.data.dataset import Dataset, divide
from msbench.data.track import Track
from msbench.system.visible import folders


class CCMixter(Dataset):
    """ccMixter (Liutkus et al. 2015): 50 songs, each a mixture, its accompaniment and its voice.

    No splits are published: they are divided by the SHA-256 of the song's name; "all" holds every song, as papers
    score them. One song is mono. The layout was read from the list of all songs' files in f90/Wave-U-Net
    (CCMixter.xml, and getCCMixter in Datasets.py).
    """

    name = "ccmixter"
    targets = ("vocals", "accompaniment")
    download = "https://members.loria.fr/ALiutkus/kam/"
    layout = "<track>/{mix,source-01,source-02}.wav"
    licence = "Creative Commons, each song its own: see https://ccmixter.org"
    citation = (
        'Liutkus, Fitzgerald and Rafii, "Scalable audio separation with light Kernel Additive Modelling", ICASSP 2015'
    )
    rule = "train 70 %, valid 10 %, test 20 % by the SHA-256 of the song's name; all: every song"
    published: Mapping[str, int] = {"all": 50}
    rates = (44100,)
    verified = "the list of all 50 songs' files in f90/Wave-U-Net"

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", "valid", "test", "all")

    def find_tracks(self, split: str) -> Iterable[Track]:
        found = folders(self.root)
        if not found:
            raise self.without_tracks()
        for folder in found:
            if split in ("all", divide(folder.name, {"train": 0.7, "valid": 0.1, "test": 0.2})):
                stems = {"vocals": folder / "source-02.wav", "accompaniment": folder / "source-01.wav"}
                yield Track(folder.name, split, stems, mixture=folder / "mix.wav")
