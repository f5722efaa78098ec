"""Anybody's own songs: a folder <split>/<track>/<target>.<ext>, or a CSV of paths."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from msbench.data.dataset import SPLITS, Dataset
from msbench.data.layouts.folder_files import Files, files_of
from msbench.data.song import is_bad_file
from msbench.data.track import MIXTURE, Stem, Track

REST = "rest"

_USUAL_ORDER = ("vocals", "drums", "bass", "other", "accompaniment")
_REST_ENERGY = 10 ** (-15 / 10)  # of the mixture's; separate lossy coding, or mastering, leaves less than that
_REST_TRACKS, _REST_SECONDS = 16, 20  # that are listened to, taken evenly from all, in their middles


class Folder(Dataset):
    """Your own songs: <split>/<track>/<target>.wav (or flac, mp3), or a CSV with the columns split,track,target,path.

    The targets are the names of the files; every track has the same. A file named mixture is the mixture; without
    one, it is the sum of the others. Where the mixture holds clearly more than the stems, what is left is one more
    target, "rest": so vocals and a mixture are enough to train on.

    Sound that is not read, of an ending that is not or where no track is looked for, is warned of and noted.

    Args:
        root: The folder, or the CSV file; its paths are relative to itself.
        keep_faults: Keep what must be mended as `faults`, for `data verify` to list, and raise nothing for it; a track
            then has the targets that are there.

    Raises:
        FileNotFoundError: If the root does not exist.
        ValueError: If nothing is found there, a target is given twice or to some tracks alone, a name cannot name a
            file, or the CSV is not such a table.
    """

    name = "folder"
    layout = "<split>/<track>/<target>.wav"
    licence = "your own"
    rule = "as the folders or the table say"
    excerpts_allowed = True  # of their owner, who asks for them
    may_keep_faults = True

    def __init__(self, root: str | Path | None = None, *, keep_faults: bool = False) -> None:
        super().__init__(root)
        found = files_of(self.root)
        self._songs = found.songs
        self.faults = list(found.faults)
        self._keep_faults = keep_faults
        if self._songs:
            self.faults += self._lacking(found.unread)
        if self.faults and not (keep_faults and self._songs):
            more = f" ({len(self.faults) - 1} more faults: msbench data verify lists them)" if self.faults[1:] else ""
            raise ValueError(f"{self.faults[0]}{more}")
        if not self._songs:
            hint = f"; {found.unread_sentence or found.misplaced_sentence}".rstrip("; ")
            raise ValueError(f"no songs in {self.root}: put them in as <split>/<track>/<target>.wav{hint}")
        if keep_faults and found.unread:
            self.faults.append(f"{self.root} has {found.unread_sentence}")
        for sentence in filter(None, ("" if keep_faults else found.unread_sentence, found.misplaced_sentence)):
            self.note(f"not read: {sentence}")
            if not keep_faults:
                warnings.warn(f"{self.root} has {sentence}", stacklevel=2)

    @property
    def splits(self) -> tuple[str, ...]:
        """Those found; train, valid and test first."""
        return tuple(sorted(self._songs, key=_place_among(SPLITS)))

    @cached_property
    def targets(self) -> tuple[str, ...]:  # type: ignore[override]  # an attribute of the class elsewhere
        """The names of the files, and "rest" where the mixture holds more."""
        return (*self._given, REST) if self._has_rest else self._given

    @cached_property
    def _given(self) -> tuple[str, ...]:
        found = {target for tracks in self._songs.values() for files in tracks.values() for target in files}
        return tuple(sorted(found - {MIXTURE}, key=_place_among(_USUAL_ORDER)))

    def _lacking(self, unread: Iterable[Path]) -> Iterable[str]:
        """What is said of each track that lacks what others have, or has nothing to separate."""
        lost = {(*path.parts[:2], path.stem): path.name for path in unread}
        for split, tracks in self._songs.items():
            for track, files in tracks.items():
                where = f"track '{track}' of split '{split}'"
                missing = [target for target in self._given if target not in files]
                for target in missing:
                    fix = "add the file, a silent one where nothing plays"
                    if (split, track, target) in lost:
                        fix = f"convert its {lost[split, track, target]}, which is not read"
                    yield f"{where} has no '{target}', which other tracks have: {fix}, or remove the track"
                if missing:
                    continue
                if len(self._given) == 0 or (len(self._given) == 1 and MIXTURE not in files):
                    yield (
                        f"{where} has a single file, {next(iter(files.values()))}, and nothing to separate it from: "
                        f"add its {MIXTURE} or its other stems"
                    )

    @cached_property
    def _has_rest(self) -> bool:
        """Whether the mixtures are clearly more than the sums of their stems, in most of the tracks listened to."""
        having = [
            self._track(name, split, files, rest=False)
            for split in self.splits
            for name, files in sorted(self._songs[split].items())
            if MIXTURE in files and files.keys() >= set(self._given)
        ]
        if REST in self._given:
            return False
        shares = {track: _more(track) for track in having[:: -(-len(having) // _REST_TRACKS) or 1]}
        heard = {track: share for track, share in shares.items() if share is not None}
        more = [track for track, share in heard.items() if share > _REST_ENERGY]
        if more and len(more) * 2 < len(heard):
            sentence = (
                f"the mixture holds clearly more than its stems in {len(more)} of {len(heard)} tracks, "
                f"'{more[0].name}' of split '{more[0].split}' first: add the stems that they lack"
            )
            self.note(sentence)
            warnings.warn(f"{self.root}: {sentence}", stacklevel=2)
        return len(more) * 2 >= len(heard) > 0

    def find_tracks(self, split: str) -> Iterable[Track]:
        for name, files in sorted(self._songs[split].items()):
            rest = self._has_rest
            if rest and MIXTURE not in files:
                sentence = (
                    f"track '{name}' of split '{split}' has no {MIXTURE}, and in other tracks that is more than the "
                    "stems: add the file"
                )
                if not self._keep_faults:
                    raise ValueError(sentence)
                self.faults.append(sentence)
                rest = False
            yield self._track(name, split, files, rest)

    def _track(self, name: str, split: str, files: Files, rest: bool) -> Track:
        given = [target for target in self._given if target in files]
        stems: dict[str, Stem] = {target: files[target] for target in given}
        if rest:
            stems[REST] = {files[MIXTURE]: 1.0, **{files[target]: -1.0 for target in given}}
        return Track(name, split, stems, mixture=files.get(MIXTURE))


def _more(track: Track) -> float | None:
    """The energy of what a mixture holds in addition to its stems, relative to its own, in the middle of a track.

    None where that is silent, or a file cannot be read, which is said when the track is used.
    """
    try:
        frames = min(track.frames, _REST_SECONDS * track.sample_rate)
        start = (track.frames - frames) // 2
        mixture = track.read(MIXTURE, start, frames)
        left = mixture - sum(track.read(stem, start, frames) for stem in track.stems)
    except (ValueError, OSError) as error:
        if not is_bad_file(error):
            raise
        return None
    energy = float(np.sum(np.square(mixture)))
    return float(np.sum(np.square(left))) / energy if energy > 0 else None


def _place_among(usual: tuple[str, ...]) -> Callable[[str], tuple[int, str]]:
    return lambda name: (usual.index(name) if name in usual else len(usual), name)
