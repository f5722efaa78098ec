"""DSD100: Mixtures/{Dev,Test}/<track>/mixture.wav and Sources/{Dev,Test}/<track>/{vocals,drums,bass,other}.wav."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msbench.data.dataset import Dataset, divide
from msbench.data.track import Track
from msbench.system.visible import folders

_FOLDERS = {"train": "Dev", "valid": "Dev", "test": "Test"}
_VALID = 0.14  # of Dev, as musdb has it of its training songs


class DSD100(Dataset):
    """DSD100 (Liutkus et al. 2017): 100 songs in four stems, of SiSEC 2016; test holds 50 of them.

    Dev and Test are published; no validation split is, so one is divided off Dev by the SHA-256 of the songs' names.
    The layout is that of its publishers' loader, faroit/dsdtools (dsdtools/__init__.py:102-189, configs/dsd100.yaml),
    and that of their DSD100subset, four of the songs cut to 30 s, whose 20 files are in samosk/Signal-Project and, in
    part, in Ethernetz/audio_seperation.
    """

    name = "dsd100"
    targets = ("vocals", "drums", "bass", "other", "accompaniment")
    sums: Mapping[str, tuple[str, ...]] = {"accompaniment": ("drums", "bass", "other")}
    download = "https://sigsep.github.io/datasets/dsd100.html"
    layout = "Mixtures/{Dev,Test}/<track>/mixture.wav and Sources/{Dev,Test}/<track>/<stem>.wav"
    licence = "for research only; the songs' own terms are at https://www.cambridge-mt.com/ms/mtk"
    citation = 'Liutkus et al., "The 2016 Signal Separation Evaluation Campaign", LVA/ICA 2017'
    rule = "test is Test; valid is about 14 % of Dev by the SHA-256 of the song's name, train the rest of Dev"
    published: Mapping[str, int] = {"train+valid": 50, "test": 50}
    rates = (44100,)
    verified = (
        "the list of the 20 files of its publishers' DSD100subset, in samosk/Signal-Project; read as dsdtools does"
    )

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(split for split, folder in _FOLDERS.items() if (self.root / "Mixtures" / folder).is_dir())

    def find_tracks(self, split: str) -> Iterable[Track]:
        for folder in folders(self.root / "Mixtures" / _FOLDERS[split]):
            if split == "test" or divide(folder.name, {"valid": _VALID, "train": 1 - _VALID}) == split:
                sources = self.root / "Sources" / folder.parent.name / folder.name
                yield self._track(folder.name, split, sources, folder / "mixture.wav")

    def _track(self, name: str, split: str, sources: Path, mixture: Path) -> Track:
        return Track(
            name, split, {stem: sources / f"{stem}.wav" for stem in self.stems}, mixture=mixture, sums=self.sums
        )
