"""MedleyDB: <track>/<track>_MIX.wav, <track>_STEMS/<track>_STEM_NN.wav and <track>_METADATA.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msbench.data.dataset import divide, folders
from msbench.data.layouts.stem_map import MappedDataset, metadata_stems, read_metadata
from msbench.data.track import FileOrChannel, Track

_BLEED = "bleeding of other instruments into stem"


class MedleyDB(MappedDataset):
    """MedleyDB (Bittner et al. 2014, 2016): multitracks of many genres, their stems mapped to targets by instrument.

    A stem of several instruments that belong to different targets is in "other". Tracks with bleed are left out,
    unless the map's options say with_bleed: true. The mixture has been mastered: the stems are only nearly its parts.

    Args:
        root: Folder of the tracks' folders, or of Audio/ with them; metadata next to the audio or in Metadata/.
        stem_map: See MappedDataset.
    """

    name = "medleydb"
    download = "https://medleydb.weebly.com"
    layout = "<track>/<track>_MIX.wav, <track>_STEMS/ and <track>_METADATA.yaml"
    licence = "CC BY-NC-SA 4.0"
    citation = 'Bittner et al., "MedleyDB: a multitrack dataset for annotation-intensive MIR research", ISMIR 2014'
    rule = "artists are divided by the SHA-256 of their names: train 70 %, valid 15 %, test 15 %; none is in two splits"
    rates = (44100,)
    sum_error_db = None
    errata: Mapping[str, str] = {
        "BrandonWebster_DontHearAThing": f"{_BLEED} 2, not tagged so",
        "ClaraBerryAndWooldog_Boys": f"{_BLEED}s 1 and 5, not tagged so",
        "LizNelson_ImComingHome": f"{_BLEED} 2, not tagged so",
        "Lushlife_ToynbeeSuite": f"{_BLEED} 12, not tagged so",
        "TheScarletBrand_LesFleursDuMal": f"{_BLEED} 8, not tagged so",
        "CelestialShore_DieForUs": "stems 1 and 2 do not match their raw tracks' processing",
    }

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", "valid", "test")

    def find_tracks(self, split: str) -> Iterable[Track]:
        audio = self.root / "Audio" if (self.root / "Audio").is_dir() else self.root
        found = [folder for folder in folders(audio) if (folder / f"{folder.name}_MIX.wav").exists()]
        if not found:
            raise self.without_tracks()
        for folder in found:
            path = self._metadata_path(folder)
            metadata = read_metadata(path)
            artist = str(metadata.get("artist") or folder.name.partition("_")[0])
            if divide(artist, {"train": 0.7, "valid": 0.15, "test": 0.15}) != split:
                continue
            if str(metadata.get("has_bleed")).lower() in ("yes", "true") and not self.map.options.get("with_bleed"):
                self.note(f"{split}/{folder.name} is left out: its stems hold other instruments (has_bleed)")
                continue
            stems = self.label_stems(self._labelled(folder, path, metadata))
            if not any(stems.values()):
                self.note(f"{split}/{folder.name} is left out: its metadata names no stems")
                continue
            yield Track(folder.name, split, stems, mixture=folder / f"{folder.name}_MIX.wav", sums=self.sums)

    def _metadata_path(self, folder: Path) -> Path:
        name = f"{folder.name}_METADATA.yaml"
        places = [folder / name, self.root / "Metadata" / name, self.root.parent / "Metadata" / name]
        return next((place for place in places if place.exists()), places[0])

    @staticmethod
    def _labelled(folder: Path, path: Path, metadata: dict[str, Any]) -> dict[FileOrChannel, tuple[str, ...]]:
        stems = folder / str(metadata.get("stem_dir") or f"{folder.name}_STEMS")
        labelled: dict[FileOrChannel, tuple[str, ...]] = {}
        for key, stem in metadata_stems(path, metadata):
            file, instrument = stem.get("filename"), stem.get("instrument") or ""
            if not file:
                raise ValueError(f"{path} names no file for stem {key}: download it again")
            labelled[stems / file] = tuple(map(str, instrument if isinstance(instrument, list) else [instrument]))
        return labelled
