"""Base of iKala and MIR-1K: clips with the accompaniment on the left channel and the voice on the right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msbench.data.dataset import Dataset
from msbench.data.track import Channel, Track
from msbench.system.visible import is_visible

MUSIC, VOICE = 0, 1  # the channels


class Karaoke(Dataset):
    """Base of the datasets of Wavfile/*.wav with the accompaniment left and the voice right; the mixture is their sum.

    The split "all" holds every clip: papers score whole datasets of this kind.
    """

    targets: tuple[str, ...] = ("vocals", "accompaniment")
    layout = "Wavfile/*.wav"

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", "valid", "test", "all")

    def split_of(self, clip: str) -> str:
        """The split of a clip, by its name."""
        raise NotImplementedError(f"{type(self).__name__} must define split_of(clip)")

    def find_tracks(self, split: str) -> Iterable[Track]:
        for path in self._clips():
            if split in ("all", self.split_of(path.stem)):
                yield self.track(path, split)

    def track(self, path: Path, split: str) -> Track:
        """The track of a clip."""
        return Track(path.stem, split, {"vocals": Channel(path, VOICE), "accompaniment": Channel(path, MUSIC)})

    def _clips(self) -> Iterator[Path]:
        folder = self.root / "Wavfile"
        found = sorted(path for path in folder.glob("*.wav") if is_visible(path.name))
        if not found:
            raise self.without_tracks()
        yield from found
