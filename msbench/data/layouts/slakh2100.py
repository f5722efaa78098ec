"""Slakh2100: {train,validation,test}/TrackNNNNN/{mix,stems/SNN}.flac with metadata.yaml; BabySlakh has no splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from msbench.data.layouts.stem_map import MappedDataset, metadata_stems, read_metadata
from msbench.data.track import FileOrChannel, Track
from msbench.system.bounded import read_text
from msbench.system.names import plain_name
from msbench.system.visible import folders

_FOLDERS = {"train": "train", "valid": "validation", "test": "test"}
_LAST = {"train": 1500, "valid": 1875, "test": 2100}  # numbers of the tracks of the splits first published
_MIDI = re.compile(r"^UUID:\s*(\S+)", re.MULTILINE)
_NUMBER = re.compile(r"Track(\d{5})")


class Slakh2100(MappedDataset):
    """Slakh2100 (Manilow et al. 2019): 2100 songs rendered from MIDI, mono, their stems mapped by instrument class.

    Some MIDI files were rendered twice, into different splits too. As in Slakh2100-redux, only the first track of
    each MIDI file is kept (1289, 270 and 151), unless the map's options say duplicates: true. These are the tracks
    that redux.json of ethman/slakh-utils keeps, all 1710 of them. BabySlakh, the first 20 tracks at 16 kHz
    (https://zenodo.org/records/4603870), has no splits: "all" holds its tracks.

    The layout is that of ethman/slakh-utils (README.md, splits/resplit_slakh.py) and of mir-dataset-loaders/mirdata
    (mirdata/datasets/slakh.py, and a track of each release in tests/resources/mir_datasets/slakh). Both look for
    stems in stems/, whatever audio_dir of metadata.yaml says: it is "stems", or "Track00001/stems".

    Args:
        root: Folder of train/, validation/ and test/, or of BabySlakh's tracks; as FLAC, or converted to WAV.
        stem_map: See MappedDataset.
    """

    name = "slakh2100"
    version = "redux"
    download = "https://zenodo.org/records/4599666"
    layout = "[{train,validation,test}/]TrackNNNNN/{mix.flac,stems/,metadata.yaml}"
    verified = "one track each of Slakh2100-redux and BabySlakh, from mir-dataset-loaders/mirdata's tests"
    licence = "CC BY 4.0"
    citation = (
        'Manilow et al., "Cutting music source separation some Slakh: a dataset to study the impact of training data '
        'quality and quantity", WASPAA 2019'
    )
    rule = "as published; of the tracks of one MIDI file only the first (Slakh2100-redux)"
    published: Mapping[str, int] = {"train": 1289, "valid": 270, "test": 151}
    rates = (44100, 16000)

    def __init__(self, root: str | Path | None = None, stem_map: str | Path | None = None) -> None:
        super().__init__(root, stem_map)
        duplicates = bool(self.map.options.get("duplicates"))
        if self.splits == ("all",):
            self.version, self.published = "baby", {"all": 20}
        elif any(_moved(split, folder) for split in self.splits for folder in self._folders(split)):
            self.version, self.published = "split2" if duplicates else "split2 without duplicates", {}
        elif duplicates:
            self.version, self.published = "orig", {"train": 1500, "valid": 375, "test": 225}

    @property
    def splits(self) -> tuple[str, ...]:
        """Those of Slakh2100, as far as they are there; "all" of BabySlakh."""
        found = tuple(split for split, folder in _FOLDERS.items() if (self.root / folder).is_dir())
        return found or (("all",) if self._folders("all") else ())

    def _folders(self, split: str) -> list[Path]:
        if split == "all":
            return [folder for folder in folders(self.root) if _NUMBER.fullmatch(folder.name)]
        return folders(self.root / _FOLDERS[split])

    def find_tracks(self, split: str) -> Iterable[Track]:
        repeated = {} if self.map.options.get("duplicates") else self._repeated
        for folder in self._folders(split):
            if folder in repeated:
                self.note(f"{split}/{folder.name} is left out: it has the MIDI file of {repeated[folder]}")
                continue
            labelled = self._labelled(folder)
            if not labelled:
                self.note(f"{split}/{folder.name} is left out: none of its stems was rendered")
                continue
            yield Track(folder.name, split, self.label_stems(labelled), mixture=_audio(folder / "mix"), sums=self.sums)

    @cached_property
    def _repeated(self) -> dict[Path, str]:
        """{folder: the earlier track that was rendered from the same MIDI file}."""
        tracks = [track for split in self.splits for track in self._folders(split)]
        with ThreadPoolExecutor(8) as pool:  # for the sake of disks in a network
            midi = list(pool.map(_midi, tracks))
        first: dict[str, Path] = {}
        repeated = {}
        for name, folder in sorted(zip(midi, tracks, strict=True), key=lambda pair: pair[1].name):
            if name and first.setdefault(name, folder) != folder:
                repeated[folder] = first[name].name
        return repeated

    @staticmethod
    def _labelled(folder: Path) -> dict[FileOrChannel, tuple[str, ...]]:
        path = folder / "metadata.yaml"
        labelled: dict[FileOrChannel, tuple[str, ...]] = {}
        for key, stem in metadata_stems(path, read_metadata(path)):
            source = _audio(folder / "stems" / plain_name(key, f"stem of {path}"))
            # BabySlakh's metadata calls every stem not rendered, also those whose files it comes with.
            if stem.get("audio_rendered", True) or source.exists():
                labelled[source] = (str(stem.get("inst_class", "")),)
        return labelled


def _moved(split: str, folder: Path) -> bool:
    """Whether a track is not in the split that it was first published in."""
    number = _NUMBER.fullmatch(folder.name)
    first = next((name for name, last in _LAST.items() if number and int(number[1]) <= last), split)
    return first != split


def _audio(path: Path) -> Path:
    wav = path.with_name(f"{path.name}.wav")
    return wav if wav.exists() else path.with_name(f"{path.name}.flac")


def _midi(folder: Path) -> str:
    try:
        found = _MIDI.search(read_text(folder / "metadata.yaml"))
    except (OSError, ValueError):
        return ""  # said when the track is read
    return found[1] if found else ""
