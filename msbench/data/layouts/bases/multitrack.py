"""Base of the multitrack collections whose files' names tell the instrument; the layouts are declared in YAML."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import soundfile

from msbench.data.layouts.stem_map import MappedDataset
from msbench.data.track import MIXTURE, Channel, FileOrChannel, Track
from msbench.system.bounded import shown
from msbench.system.visible import all_visible


class Multitrack(MappedDataset):
    """Songs of a collection, all in the split "test"; without a file for the mixture, it is the sum of the stems.

    A file is named <song>__<instrument>.wav, or lies in a folder of its song as <instrument>.wav. The map's
    options.stems lists patterns of paths, of which the first that a song has is read, and options.mixture the
    instruments' names that are the mixture's.

    Raises:
        ValueError: If no file fits a pattern, or the patterns are missing or lead out of the folder.
    """

    rule = "test: every song"

    @property
    def splits(self) -> tuple[str, ...]:
        return ("test",)

    def find_tracks(self, split: str) -> Iterable[Track]:
        names = tuple(self.map.options.get("mixture") or (MIXTURE,))
        for song, files in sorted(self._songs.items()):
            mixture = next((files[name] for name in names if name in files), None)
            sources = _sources([*files.values()])
            labelled = {sources[path]: (label,) for label, path in files.items() if label not in names}
            if not labelled:
                self.note(f"{split}/{song} is left out: it has nothing but its mixture")
                continue
            yield Track(song, split, self.label_stems(labelled), mixture=mixture, sums=self.sums)

    @cached_property
    def _songs(self) -> dict[str, dict[str, Path]]:
        """{song: {instrument: file}}."""
        patterns = self.map.options.get("stems")
        if not isinstance(patterns, list) or not patterns:
            raise ValueError(f"{self.map.path} does not say where the stems are: add options.stems: ['*/*.wav']")
        if any(not isinstance(p, str) or p.startswith("/") or ".." in Path(p).parts for p in patterns):
            raise ValueError(
                f"{self.map.path}: options.stems has {shown(patterns)}: write patterns of paths within the dataset's "
                "folder, such as '*/*.wav'"
            )
        songs: dict[str, dict[str, Path]] = {}
        for pattern in patterns:
            found: dict[str, dict[str, Path]] = {}
            for path in sorted(self.root.glob(pattern)):
                if all_visible(path, self.root):
                    song, instrument = _named(path)
                    found.setdefault(song, {})[instrument] = path
            songs = {**found, **songs}
        if not songs:
            raise ValueError(
                f"no songs in {self.root}: '{self.name}' looks for {', '.join(patterns)}; give another root, or the "
                f"layout under options.stems in {self.root / 'stem_map.yaml'}"
            )
        return songs


def _sources(paths: list[Path]) -> dict[Path, FileOrChannel]:
    """Each file as it is, or a mono one as a channel where others of the song have two."""
    channels = {}
    for path in paths:
        try:
            channels[path] = soundfile.info(path).channels
        except (OSError, soundfile.SoundFileError):
            return {path: path for path in paths}  # said when the track is checked
    mixed = len(set(channels.values())) > 1
    return {path: Channel(path, 0) if mixed and channels[path] == 1 else path for path in paths}


def _named(path: Path) -> tuple[str, str]:
    song, _, instrument = path.stem.rpartition("__")
    folder = path.parent.parent if path.parent.name.startswith("tracks_") else path.parent
    return song or folder.name, instrument
