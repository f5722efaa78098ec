"""Slakh2100: {train,validation,test}/TrackNNNNN/{mix.flac,stems/SNN.flac,metadata.yaml}."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from msbench.data.dataset import folders
from msbench.data.layouts.stem_map import MappedDataset, metadata_stems, read_metadata
from msbench.data.track import FileOrChannel, Track

_FOLDERS = {"train": "train", "valid": "validation", "test": "test"}
_MIDI = re.compile(r"^UUID:\s*(\S+)", re.MULTILINE)


class Slakh2100(MappedDataset):
    """Slakh2100 (Manilow et al. 2019): 2100 songs rendered from MIDI, mono, their stems mapped by instrument class.

    Some MIDI files were rendered twice, into different splits too. As in Slakh2100-redux, only the first track of
    each MIDI file is kept (1289, 270 and 151), unless the map's options say duplicates: true.

    Args:
        root: Folder of train/, validation/ and test/; as FLAC, or converted to WAV.
        stem_map: See MappedDataset.
    """

    name = "slakh2100"
    version = "redux"
    download = "https://zenodo.org/records/4599666"
    layout = "{train,validation,test}/TrackNNNNN/{mix.flac,stems/,metadata.yaml}"
    licence = "CC BY 4.0"
    citation = (
        'Manilow et al., "Cutting music source separation some Slakh: a dataset to study the impact of training data '
        'quality and quantity", WASPAA 2019'
    )
    rule = "as published; of the tracks of one MIDI file only the first (Slakh2100-redux)"
    published: Mapping[str, int] = {"train": 1289, "valid": 270, "test": 151}
    rates = (44100, 16000)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(split for split, folder in _FOLDERS.items() if (self.root / folder).is_dir())

    def find_tracks(self, split: str) -> Iterable[Track]:
        repeated = {} if self.map.options.get("duplicates") else self._repeated
        if self.map.options.get("duplicates"):
            self.version = "orig"
        for folder in folders(self.root / _FOLDERS[split]):
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
        tracks = [track for split in self.splits for track in folders(self.root / _FOLDERS[split])]
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
        metadata = read_metadata(path)
        return {
            _audio(folder / str(metadata.get("audio_dir") or "stems") / key): (str(stem.get("inst_class", "")),)
            for key, stem in metadata_stems(path, metadata)
            if stem.get("audio_rendered", True)
        }


def _audio(path: Path) -> Path:
    wav = path.with_name(f"{path.name}.wav")
    return wav if wav.exists() else path.with_name(f"{path.name}.flac")


def _midi(folder: Path) -> str:
    try:
        found = _MIDI.search((folder / "metadata.yaml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""  # said when the track is read
    return found[1] if found else ""
