"""MedleyDB: <track>/<track>_MIX.wav, <track>_STEMS/<track>_STEM_NN.wav and <track>_METADATA.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msbench.data.dataset import Dataset, divide
from msbench.data.layouts.stem_map import MappedDataset, metadata_stems, read_metadata
from msbench.data.track import FileOrChannel, Track
from msbench.system.names import plain_name
from msbench.system.visible import folders
from msbench.system.yaml_files import read_yaml

_BLEED = "bleeding of other instruments into stem"
_WITH_BLEED = {"V1": 28, "V2": 52}  # release -> how many of its tracks are tagged so
_SAME_ARTIST = {  # as its metadata spell them -> as they do in another track; one artist is in one split
    "Declare A String": "Declare a String",
    "Hops 'n Vinyl": "Hops \N{RIGHT SINGLE QUOTATION MARK}n Vinyl",
    "Liz Nelson": "Liz Nelson & Jennifer Davies",
}


class MedleyDB(MappedDataset):
    """MedleyDB (Bittner et al. 2014, 2016): multitracks of many genres, their stems mapped to targets by instrument.

    A stem of several instruments that belong to different targets is in "other". Tracks with bleed are left out,
    unless the map's options say with_bleed: true. The mixture has been mastered, and the stems are not at its levels.
    With remix: true, the stems have the gains that MedleyDB publishes (estimates, but for 15 tracks), and the mixture
    is their sum: the mix that medleydb.mix.mix_multitrack makes. As there, stems of other tracks keep their levels.

    The layout, track lists, gains and taxonomy are those of marl/medleydb (medleydb/multitrack.py, resources/, and
    data/Metadata, whose 196 files of releases 1 and 2 are read as they are). Its artist index counts each song of
    Music Delta as an artist of its own; here the two names of Music Delta in the metadata are two artists.

    Args:
        root: Folder of the tracks' folders, or of Audio/ with them; metadata next to the audio or in Metadata/.
        stem_map: See MappedDataset.
    """

    name = "medleydb"
    download = "https://medleydb.weebly.com"
    layout = "<track>/<track>_MIX.wav, <track>_STEMS/ and <track>_METADATA.yaml"
    verified = "the metadata of all 196 tracks, and the loader, of marl/medleydb"
    licence = "CC BY-NC-SA 4.0"
    citation = 'Bittner et al., "MedleyDB: a multitrack dataset for annotation-intensive MIR research", ISMIR 2014'
    rule = "artists are divided by the SHA-256 of their names: train 70 %, valid 15 %, test 15 %; none is in two splits"
    rates = (44100,)
    sum_error_db: float | None = None
    errata: Mapping[str, str] = {  # ERRATA.md of marl/medleydb
        "BrandonWebster_DontHearAThing": f"{_BLEED} 2",
        "ClaraBerryAndWooldog_Boys": f"{_BLEED}s 1 and 5",
        "LizNelson_ImComingHome": f"{_BLEED} 2",
        "Lushlife_ToynbeeSuite": f"{_BLEED} 12, not tagged so",
        "TheScarletBrand_LesFleursDuMal": f"{_BLEED} 8, not tagged so",
        "CelestialShore_DieForUs": "effects processing in raw tracks, of stems 1 and 2",
    }

    def __init__(self, root: str | Path | None = None, stem_map: str | Path | None = None) -> None:
        super().__init__(root, stem_map)
        here = {folder.name for folder in self._folders()}
        releases = [release for release, tracks in published_tracks().items() if not here.isdisjoint(tracks)]
        self.version = "+".join(releases) or "own"
        if releases:
            tracks = sum(len(published_tracks()[release]) for release in releases)
            bleed = 0 if self.map.options.get("with_bleed") else sum(_WITH_BLEED[release] for release in releases)
            self.published = {"+".join(self.splits): tracks - bleed}
        if self.map.options.get("remix"):
            self.mix = "remixed"
            self.version += f" {self.mix}"
            self.sum_error_db = Dataset.sum_error_db

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", "valid", "test")

    def find_tracks(self, split: str) -> Iterable[Track]:
        found = self._folders()
        if not found:
            raise self.without_tracks()
        for folder in found:
            path = self._metadata_path(folder)
            metadata = read_metadata(path)
            artist = str(metadata.get("artist") or folder.name.partition("_")[0])
            artist = _SAME_ARTIST.get(artist, artist)
            if divide(artist, {"train": 0.7, "valid": 0.15, "test": 0.15}) != split:
                continue
            if str(metadata.get("has_bleed")).lower() in ("yes", "true") and not self.map.options.get("with_bleed"):
                self.note(f"{split}/{folder.name} is left out: its stems hold other instruments (has_bleed)")
                continue
            labelled = self._labelled(folder, path, metadata)
            if not labelled:
                self.note(f"{split}/{folder.name} is left out: its metadata names no stems")
                continue
            yield self._track(folder, split, labelled)

    def _folders(self) -> list[Path]:
        audio = self.root / "Audio" if (self.root / "Audio").is_dir() else self.root
        found = folders(audio)
        return [f for f in found if (f / f"{f.name}_MIX.wav").exists() or (f / f"{f.name}_STEMS").is_dir()]

    def _track(self, folder: Path, split: str, labelled: dict[FileOrChannel, tuple[str, ...]]) -> Track:
        if not self.map.options.get("remix"):
            mixture = folder / f"{folder.name}_MIX.wav"
            return Track(folder.name, split, self.label_stems(labelled), mixture=mixture, sums=self.sums)
        ones = [1.0] * len(labelled)
        published = next((t[folder.name] for t in published_tracks().values() if folder.name in t), ones)
        if len(published) != len(labelled):
            raise ValueError(
                f"the metadata of {folder.name} list {len(labelled)} stems, and MedleyDB publishes the gains of "
                f"{len(published)}: download them again"
            )
        gains = dict(zip(labelled, published, strict=True))
        return Track(folder.name, split, self.label_stems(labelled, gains), sums=self.sums)

    def _metadata_path(self, folder: Path) -> Path:
        name = f"{folder.name}_METADATA.yaml"
        places = [folder / name, self.root / "Metadata" / name, self.root.parent / "Metadata" / name]
        return next((place for place in places if place.exists()), places[0])

    @staticmethod
    def _labelled(folder: Path, path: Path, metadata: dict[str, Any]) -> dict[FileOrChannel, tuple[str, ...]]:
        stems = folder / plain_name(metadata.get("stem_dir") or f"{folder.name}_STEMS", f"stem_dir of {path}")
        labelled: dict[FileOrChannel, tuple[str, ...]] = {}
        for key, stem in metadata_stems(path, metadata):
            file, instrument = stem.get("filename"), stem.get("instrument") or ""
            if not file:
                raise ValueError(f"{path} names no file for stem {key}: download it again")
            instruments = instrument if isinstance(instrument, list) else [instrument]
            labelled[stems / plain_name(file, f"stem {key} of {path}")] = tuple(map(str, instruments))
        return labelled


@cache
def published_tracks() -> dict[str, dict[str, list[float]]]:
    """{release: {track: the gains of its stems in order}}, as MedleyDB publishes them."""
    tracks: dict[str, dict[str, list[float]]] = read_yaml(Path(__file__).parent / "lists" / "medleydb.yaml")
    return tracks
