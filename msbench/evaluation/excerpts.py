"""Excerpts of a few tracks, kept as small audio files next to the scores, so that a board can play them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from msbench.data.track import MIXTURE, Track
from msbench.evaluation.options import Execution
from msbench.evaluation.signals import Read
from msbench.evaluation.sources import ScoredSet
from msbench.system.files import replacing
from msbench.system.names import inside

SECONDS = 8.0
ABOUT = "excerpt.json"  # in the folder of a track's excerpt
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # in Hz
QUALITY = 0.4  # of libsndfile's MP3 coder, 0 the best: some 190 kbit/s; every browser decodes MP3


@dataclass(frozen=True)
class Excerpts:
    """Which tracks of a split are kept, and where: <folder>/<track>/{mixture,reference.T,estimate.T}.mp3."""

    folder: Path
    tracks: tuple[str, ...]

    def wants(self, track: Track) -> bool:
        """Whether the track is one of them and not there yet."""
        return track.name in self.tracks and not (inside(self.folder, track.name) / ABOUT).is_file()


def chosen(scored: ScoredSet, execution: Execution) -> Excerpts | None:
    """The first tracks of a split, as many as are wanted, where the dataset's license lets their sound be published.

    Raises:
        ValueError: If it does not, the count is negative, or there is no folder to keep them in.
    """
    count, data = execution.excerpts, scored.data
    if count == 0:
        return None
    if count < 0:
        raise ValueError(f"excerpts must be a number of tracks, not {count}")
    if not data.excerpts_allowed:
        raise ValueError(f"the licence of '{data.name}' does not let its sound be published: leave out excerpts")
    if execution.output is None:
        raise ValueError("excerpts need an output folder to be kept in")
    for track in scored.tracks[:count]:
        if track.sample_rate not in MP3_RATES or track.channels > 2:
            raise ValueError(
                f"excerpts are kept as MP3, which cannot hold the {track.channels} channels at {track.sample_rate} Hz "
                f"of track '{track.name}': leave out excerpts"
            )
    folder = inside(Path(execution.output) / "excerpts", scored.split)
    return Excerpts(folder, tuple(track.name for track in scored.tracks[:count]))


def keep(excerpts: Excerpts, track: Track, targets: list[str], estimates: Read) -> None:
    """Write the excerpt of one track, in the place of an earlier one.

    Args:
        excerpts: Where.
        track: Gives mixture and references.
        targets: In the order of the estimates.
        estimates: Reads samples start to stop, (S, C, n).
    """
    start, count = _place(track, targets)
    sound = {MIXTURE: track.read(MIXTURE, start, count)}
    sound |= {f"reference.{target}": track.read(target, start, count) for target in targets}
    sound |= {f"estimate.{target}": one for target, one in zip(targets, estimates(start, start + count), strict=True)}
    place = inside(excerpts.folder, track.name)
    about = {"targets": targets, "start": start / track.sample_rate, "seconds": count / track.sample_rate}
    with replacing(place, mark=ABOUT) as part:
        part.mkdir(parents=True)
        for name, samples in sound.items():
            path = part / f"{name}.mp3"
            soundfile.write(path, samples.T.clip(-1, 1), track.sample_rate, format="MP3", compression_level=QUALITY)
        (part / ABOUT).write_text(json.dumps(about))


def _place(track: Track, targets: list[str]) -> tuple[int, int]:
    """(start, frames) of the excerpt in which the faintest target is loudest, so that all are heard in it.

    The references alone decide, so that it is the same for every model.
    """
    rate = track.sample_rate
    count = min(track.frames, round(SECONDS * rate))
    blocks = [  # a second each
        [float(np.square(track.read(target, at, min(rate, track.frames - at))).mean()) for target in targets]
        for at in range(0, track.frames, rate)
    ]
    energies = np.array(blocks)  # (seconds, S)
    width = max(1, count // rate)
    sums = np.stack([energies[i : i + width].sum(axis=0) for i in range(max(1, len(energies) - width + 1))])
    relative = sums / np.maximum(energies.sum(axis=0), 1e-12)
    start = int(relative.min(axis=1).argmax()) * rate
    return min(start, track.frames - count), count


def about_of(label: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a board needs to find the row that a folder of excerpts belongs to."""
    return {"model": label, "dataset": data["name"], "split": data["split"], "fingerprint": data["fingerprint"]}
