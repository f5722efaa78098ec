"""One audio file to the files of its stems, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from msbench.audio.reading import AudioReader
from msbench.audio.writing import stem_writer
from msbench.model.separator import Separator
from msbench.separation.input_stream import InputStream
from msbench.separation.levels import Levels
from msbench.separation.marks import Marks
from msbench.separation.pipeline import Progress, separate_blocks


@dataclass(frozen=True)
class Song:
    """One file to separate.

    Attributes:
        path: The file.
        stems: Where its stems go, by their names.
    """

    path: Path
    stems: dict[str, Path]


@dataclass(frozen=True)
class Written:
    """A song that was separated.

    Attributes:
        stems: The files, by the names of the stems.
        peak: The largest absolute sample of all stems before any was cut or turned down; full scale is 1.
    """

    stems: dict[str, Path]
    peak: float


def separate_song(model: Separator, song: Song, marks: Marks, progress: Progress | None = None) -> Written:
    """Separate a file; its stems appear under their names once all of them are complete, and replace what is there.

    They keep title, artist and the like of the input.

    Args:
        model: As for `msbench.separate`.
        song: The file, and where its stems go.
        marks: Of the call, with how the model is run and what is written.
        progress: Called with the seconds done, and the seconds in all where the file's header knows them.

    Raises:
        FileNotFoundError, OSError: If the file is not there, or the disk is full; see `msbench.audio`.
        ValueError: If the file is no audio, corrupt or empty, and as for `msbench.separate`.
    """
    with AudioReader(song.path) as reader:
        rate, channels, seconds = reader.sample_rate, reader.channels, reader.seconds
        stream = InputStream(reader.blocks(), rate, channels, seconds, name=str(song.path))
        blocks = separate_blocks(model, stream, marks.inference, progress)
        output = marks.output
        frames = None if seconds is None else round(seconds * rate)
        tags = {**reader.tags, "comment": marks.comment(song.path)}
        # The mixture is read once more, next to its estimates: a model may be given all of the song before they begin.
        again = AudioReader(song.path)
        with again, stem_writer(song.stems, rate, channels, format=output.format, frames=frames, tags=tags) as write:
            mixture = _Mixture(again.blocks())
            levels = Levels(output.clip, write, next(iter(song.stems.values())).parent)
            for block in blocks:
                length = next(iter(block.values())).shape[-1]
                levels.write(output.parts(mixture.next(length), block))
            levels.close()
    return Written(song.stems, levels.peak)


class _Mixture:
    """Blocks of a mixture, cut as its estimates are."""

    def __init__(self, blocks: Iterator[np.ndarray]) -> None:
        self._blocks = blocks
        self._rest: np.ndarray | None = None

    def next(self, frames: int) -> np.ndarray:
        """The next so many frames, (C, frames)."""
        parts: list[np.ndarray] = []
        while frames:
            block = next(self._blocks) if self._rest is None else self._rest
            parts.append(block[:, :frames])
            self._rest = block[:, frames:] if block.shape[-1] > frames else None
            frames -= parts[-1].shape[-1]
        return np.concatenate(parts, axis=-1)
