"""MUSDB18-HQ, and the datasets in its layout: <split>/<track>/{mixture,drums,bass,other,vocals}.wav."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from msbench.data.dataset import SPLITS, Dataset
from msbench.data.track import Track
from msbench.system.visible import folders
from msbench.system.yaml_files import read_yaml


class MUSDB18HQ(Dataset):
    """MUSDB18-HQ (Rafii et al. 2019): 150 songs in four stems as WAV; train holds 86, valid 14, test 50.

    The validation split is the one that musdb fixes within train/, unless there is a folder valid/. The layout is that
    of its publishers' loader, sigsep/sigsep-mus-db (musdb/__init__.py with is_wav, musdb/configs/mus.yaml), and of
    torchaudio's MUSDB_HQ (torchaudio/datasets/musdb_hq.py), which unpacks the published archive after comparing its
    SHA-256, and has the same 14 songs for validation.
    """

    name = "musdb18hq"
    targets: tuple[str, ...] = ("vocals", "drums", "bass", "other", "accompaniment")
    sums: Mapping[str, tuple[str, ...]] = {"accompaniment": ("drums", "bass", "other")}
    download = "https://zenodo.org/records/3338373"
    layout = "{train,test}/<track>/{mixture,drums,bass,other,vocals}.wav"
    licence = "for research only: most songs by the terms of https://www.cambridge-mt.com, 46 CC BY-NC-SA 4.0"
    citation = 'Rafii et al., "MUSDB18-HQ - an uncompressed version of MUSDB18", 2019, doi:10.5281/zenodo.3338373'
    rule = "test as published; valid are the 14 songs of train/ that musdb lists, unless there is a folder valid/"
    published: Mapping[str, int] = {"train": 86, "valid": 14, "test": 50}
    rates: tuple[int, ...] = (44100,)
    verified: str = "loaders alone: musdb, and torchaudio's MUSDB_HQ, which unpacks the published archive"
    errata: Mapping[str, str] = {  # https://sigsep.github.io/datasets/musdb.html#errata
        "Chris Durban - Celebrate": "bleeding of other instruments into vocals",
        "Detsky Sad - Walkie Talkie": "other mixed into drums",
        "Enda Reilly - Cur An Long Ag Seol": "speaking at the start of the other track",
        "Hop Along - Sister Cities": "bleeding of other instruments into vocals",
        "Leaf - Wicked": "electric guitar mixed into drums at 2:20 and 3:02",
        "PR - Oh No": "the sum of the stems is not the mixture in the left channel",
    }

    @property
    def splits(self) -> tuple[str, ...]:
        here = super().splits
        return tuple(split for split in SPLITS if split in here or (split == "valid" and "train" in here))

    def find_tracks(self, split: str) -> Iterable[Track]:
        for folder in self.members(split):
            yield self.track(folder.name, split, folder)

    def track(self, name: str, split: str, folder: Path) -> Track:
        """The track whose WAV files are in `folder`."""
        stems = {stem: folder / f"{stem}.wav" for stem in self.stems}
        return Track(name, split, stems, mixture=folder / "mixture.wav", sums=self.sums)

    def members(self, split: str) -> list[Path]:
        """Where the tracks of a split are, by name; musdb's rule divides train/ unless there is a folder valid/."""
        if split == "test" or (self.root / "valid").is_dir():
            return self.entries(self.root / split)
        validation = split == "valid"
        found = self.entries(self.root / "train")
        return [path for path in found if (self.track_name(path) in validation_tracks()) == validation]

    def entries(self, folder: Path) -> list[Path]:
        """The tracks in a folder."""
        found = folders(folder)
        if not found and any(folder.glob("*.stem.mp4")):
            raise ValueError(f"{folder} holds *.stem.mp4 files, not folders of WAV: it is the dataset 'musdb18'")
        return found

    def track_name(self, entry: Path) -> str:
        return entry.name


@cache
def validation_tracks() -> frozenset[str]:
    """Names of the 14 songs of MUSDB18's train folder that are its validation split, as musdb lists them.

    Read from musdb's file, since `import musdb` fails on a machine without ffmpeg.

    Raises:
        ImportError: If musdb is not installed.
    """
    spec = importlib.util.find_spec("musdb")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("musdb is not installed, and it lists MUSDB18's validation tracks: pip install musdb")
    path = Path(spec.submodule_search_locations[0], "configs", "mus.yaml")
    return frozenset(read_yaml(path)["validation_tracks"])
