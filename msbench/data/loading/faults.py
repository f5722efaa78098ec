"""Bad tracks in training: what was found in whichever process, said once and kept for the record."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch

from msbench.data.track import Track

_BYTES = 1024  # of a sentence; what is longer is cut


class BadTrack(ValueError):
    """A track that cannot be read where it was asked for, or holds NaN there; the message is one sentence.

    Args:
        sentence: What is wrong with which file, and the fix.
        track: None where the error comes out of another process, or no track is left.
    """

    def __init__(self, sentence: str, track: Track | None = None) -> None:
        super().__init__(sentence)
        self.track = track


class Faults:
    """What is wrong with which of some tracks.

    It lies in shared memory: a loader's worker has noted a fault by the time that its batch arrives, never waits for
    anyone to read the note, and may die after it.

    Args:
        tracks: All that may turn out bad.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = list(tracks)
        self._notes = torch.zeros(len(tracks), 1 + _BYTES, dtype=torch.uint8).share_memory_()
        self._warned: set[int] = set()

    def note(self, error: BadTrack) -> int:
        """Keep the first sentence on a track; returns which one it is."""
        place = next(i for i, track in enumerate(self._tracks) if track is error.track)
        if not self._notes[place, 0]:
            text = torch.frombuffer(bytearray(str(error).encode()[:_BYTES]), dtype=torch.uint8)
            self._notes[place, 1 : 1 + len(text)] = text
            self._notes[place, 0] = 1  # last, so that no reader sees half of it
        return place

    def found(self) -> dict[Track, str]:
        """The bad tracks so far, each with the sentence."""
        places = self._notes[:, 0].nonzero().flatten().tolist()
        return {
            self._tracks[i]: bytes(self._notes[i, 1:].tolist()).rstrip(b"\0").decode(errors="ignore") for i in places
        }

    def warn(self) -> None:
        """Warn of each bad track once."""
        if int(self._notes[:, 0].sum()) == len(self._warned):
            return
        for track, sentence in self.found().items():
            if id(track) not in self._warned:
                self._warned.add(id(track))
                warn_dropped(track.split, track.name, sentence)


def warn_dropped(split: str, name: str, sentence: str) -> None:
    """Say that a track is left out."""
    warnings.warn(f"track '{name}' of split '{split}' is dropped: {sentence}", stacklevel=3)
