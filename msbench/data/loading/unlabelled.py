"""Songs without stems, remixed: parts of them in which a target is silent, mixed with that target's labelled stem.

Of such a mixture the target is known, and so is the sum of all others, though none of these by itself (Défossez,
Usunier, Bottou & Bach 2019, arXiv 1909.01174). Where targets are silent, `msbench.separation.silences` has found.
"""

from __future__ import annotations

import warnings
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from msbench.data.loading.adapted import AdaptedTrack
from msbench.data.loading.chunks import ChunkDataset
from msbench.data.loading.draws import stream
from msbench.data.loading.faults import BadTrack
from msbench.data.track import MIXTURE, Track
from msbench.system.bounded import read_json

LIST = "silences.json"  # in the folder of the songs

_STREAM = 190901174  # of a chunk's random numbers, the ones drawn here: no other part draws from it


class RemixedBatch(NamedTuple):
    """A batch some of whose items know one target, and the sum of the others."""

    mixture: Tensor  # (B, C, T)
    references: Tensor  # (B, S, C, T); of such an item, the sum of the others stands in one place, zeros in the rest
    known: Tensor  # (B,) index of the one known target, -1 where all are known


def song_of(folder: Path, name: str) -> Track:
    """A song without stems as a track that has its mixture alone; `name` is its path within the folder."""
    return Track(name, "unlabelled", {"song": folder / name})


class RemixedChunks(Dataset[RemixedBatch]):
    """Labelled chunks, a share of which keep one target's stem and take the rest from a song without stems.

    Like a labelled chunk, each is a function of (seed, its global number) alone, and those that are not remixed are
    the very chunks of `labelled`. The target is drawn evenly among those with a silence as long as a chunk, then the
    position evenly within all its silences.

    Args:
        labelled: Where the stems come from, augmented as they are.
        folder: The songs, and the list that `msbench data silences` made of them.
        share: Part of the chunks that is remixed, between 0 and 1.

    Attributes:
        name: Of the folder.
        hours: Of the songs that the list names.

    Raises:
        FileNotFoundError: If the folder, its list or a song is missing.
        ValueError: If the list cannot be read or is of other targets, a song has changed or cannot be adapted to the
            model, no silence is as long as a chunk, or the targets do not add up to the mixture.
    """

    def __init__(self, labelled: ChunkDataset, folder: Path, share: float) -> None:
        if len(labelled.targets) > 1 and not labelled.covering:
            raise ValueError(
                "data.unlabelled needs one target, or targets that add up to the mixture: "
                f"{', '.join(labelled.targets)} do not"
            )
        self.labelled = labelled
        self.faults = labelled.faults
        self.share = share
        content = read_list(folder)
        lacking = [target for target in labelled.targets if target not in content["targets"]]
        if lacking:
            raise ValueError(
                f"{folder / LIST} knows the silences of {', '.join(content['targets'])}, not of the model's target "
                f"'{lacking[0]}': make it again with a checkpoint that has it"
            )
        self.name = folder.resolve().name
        self.hours = round(sum(song["seconds"] for song in content["songs"].values()) / 3600, 4)
        # Of each target: song, first sample of a silence, and number of chunks that begin in it.
        self._silences: dict[int, list[tuple[AdaptedTrack, int, int]]] = {}
        for name, song in content["songs"].items():
            self._add(folder, name, song)
        if not self._silences:
            spans = [
                (end - start, target)
                for song in content["songs"].values()
                for target in labelled.targets
                for start, end in song["silent"][target]
            ]
            seconds, target = max(spans, default=(0, labelled.targets[0]))
            raise ValueError(
                f"no song in {folder} lacks a target for as long as a chunk: the longest silence is {seconds:g} s "
                f"({target}), so shorten data.chunk_seconds, list them with a higher --threshold-db, or add songs"
            )
        self._counts = {i: np.cumsum([count for _, _, count in found]) for i, found in self._silences.items()}

    def _add(self, folder: Path, name: str, song: dict[str, Any]) -> None:
        """Note the silences of one song that hold a chunk."""
        rate, samples = self.labelled.tracks[0].sample_rate, self.labelled.samples
        track: AdaptedTrack | None = None
        for i, target in enumerate(self.labelled.targets):
            for start, end in song["silent"][target]:
                if round(end * rate) - round(start * rate) < samples:
                    continue
                if track is None:
                    path = folder / name
                    if not path.is_file() or path.stat().st_size != song["state"]["bytes"]:
                        raise FileNotFoundError(
                            f"{path} is missing, or not the file that {LIST} tells of: restore it, or run `msbench "
                            "data silences` again"
                        )
                    track = AdaptedTrack(song_of(folder, name), rate, self.labelled.format.channels)
                first, last = round(start * rate), min(round(end * rate), track.frames)
                if last - first >= samples:
                    self._silences.setdefault(i, []).append((track, first, last - first - samples + 1))

    def __getitem__(self, number: int) -> RemixedBatch:
        """Chunk `number`: mixture (C, T), references (S, C, T) and the known target, or -1."""
        mixture, references = self.labelled[number]
        whole = RemixedBatch(mixture, references, torch.tensor(-1))
        rng = stream(self.labelled.seed, number, _STREAM)
        if rng.random() >= self.share:
            return whole
        known = list(self._silences)[rng.integers(len(self._silences))]
        counts = self._counts[known]
        place = int(rng.integers(counts[-1]))
        chosen = int(np.searchsorted(counts, place, side="right"))
        track, first, count = self._silences[known][chosen]
        try:
            read = track.read(MIXTURE, first + place - int(counts[chosen]) + count, self.labelled.samples)
        except BadTrack as error:  # one bad file does not end a training
            warnings.warn(f"{error}; until then a labelled chunk takes its place", stacklevel=2)
            return whole
        rest = torch.from_numpy(read.copy())
        parts = torch.zeros_like(references)
        parts[known] = references[known]
        if len(parts) > 1:
            parts[1 if known == 0 else 0] = rest
        mixture = self.labelled.changed_mixture(references[known] + rest, number)
        return RemixedBatch(mixture, parts, torch.tensor(known))


def read_list(folder: Path) -> dict[str, Any]:
    """The content of a folder's list, which may come with songs of strangers.

    Raises:
        FileNotFoundError: If the folder or its list is missing.
        ValueError: If it is not as `data silences` writes it, or names a song elsewhere.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"data.unlabelled: no folder {folder}: correct the path")
    path = folder / LIST
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {LIST}: make it with `msbench data silences CHECKPOINT {folder}`")
    try:
        content: dict[str, Any] = read_json(path)
        sound = all(_is_listed(name, song, content["targets"]) for name, song in content["songs"].items())
    except (ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise ValueError(f"{path} cannot be read: delete it and run `msbench data silences` again")
    return content


def _is_listed(name: str, song: dict[str, Any], targets: list[str]) -> bool:
    """Whether a song is within the folder, and what is said of it are numbers; what is missing raises an error."""
    numbers = [song["seconds"], song["state"]["bytes"]]
    for target in targets:
        for start, end in song["silent"][target]:
            numbers += [start, end - start]
    inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts and "\0" not in name
    return inside and all(isinstance(each, int | float) and 0 <= each < 1e15 for each in numbers)
