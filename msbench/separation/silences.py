"""Where songs without stems are without a target, as a trained model hears it: the list that training remixes by.

The activity detector of Défossez et al. (2019, arXiv 1909.01174) was a network of its own; here the level of a
separator's estimate decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msbench.audio.finding import audio_files
from msbench.audio.reading import AudioReader
from msbench.data.loading.unlabelled import LIST, read_list, song_of
from msbench.data.upkeep.progress import TrackProgress, progress_bar
from msbench.model.checkpoints import Checkpoint
from msbench.model.separator import Separator
from msbench.public import VERSION
from msbench.separation.inference import Inference
from msbench.separation.input_stream import InputStream
from msbench.separation.pipeline import separate_blocks
from msbench.system import errors
from msbench.system.files import write_json

# A target is silent where its estimate's level, relative to the mixture's, is no higher. A U-Net after 8 epochs on the
# demo songs left -38 to -8 dB of absent targets (10 to 90 % of blocks), but also -17 to -6 dB of the quietest present
# ones: what is taken for silent must be so, and more training finds more of it.
THRESHOLD_DB = -30.0
BLOCK_SECONDS = 0.5  # over which both levels are taken
AUDIBLE_DB = -60.0  # of full scale, mean square: a mixture below this says nothing of its targets
LEAST_SECONDS = 1.0  # shorter silences are not listed

Spans = list[list[float]]  # [start, end] in seconds, in order


def find(
    checkpoint: Path,
    folder: Path,
    *,
    threshold_db: float = THRESHOLD_DB,
    device: str | torch.device | None = None,
    progress: TrackProgress | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Separate every song of a folder, and list in its `silences.json` where each target is silent.

    The list is written after each song. A later call goes on where it stopped, and looks again at what has changed
    since; another checkpoint or threshold starts over.

    Args:
        checkpoint: Of a separator, as `msbench fit` writes it.
        folder: Audio files, and folders of them.
        threshold_db: Below 0; see `THRESHOLD_DB`.
        device: Where the model runs; where it is by default.
        progress: Called with (songs done, songs in all); None shows a bar on a terminal.

    Returns:
        The list, and one sentence for each song that cannot be read; the others are listed all the same.

    Raises:
        FileNotFoundError: If the checkpoint or the folder is missing.
        ValueError: If the threshold is not below 0, the folder holds no audio, or no song of it can be read.
        OSError: If the list cannot be written.
    """
    if not -120 <= threshold_db < 0:
        raise ValueError(f"the threshold is in dB below the mixture, from -120 to below 0, not {threshold_db:g}")
    held = Checkpoint.read(checkpoint)
    model = held.separator()
    made_by = {
        "checkpoint_sha256": held.sha256,
        "threshold_db": threshold_db,
        "block_seconds": BLOCK_SECONDS,
        "audible_db": AUDIBLE_DB,
        "least_seconds": LEAST_SECONDS,
        "msbench": VERSION,
    }
    made: dict[str, Any] = {"made_by": made_by, "targets": model.targets}
    states = _states(folder)
    songs = {name: song for name, song in _listed(folder, made).items() if states.get(name) == song["state"]}
    waiting, failed = [name for name in states if name not in songs], []
    with progress_bar(progress, f"listening to {folder.resolve().name}") as show:
        for done, name in enumerate(waiting, 1):
            try:
                _check(folder, name)
                seconds, silent = silences_of(model, folder / name, threshold_db, device)
            except Exception as error:
                if errors.is_bug(error):
                    raise
                failed.append(errors.sentence(error))
            else:
                songs[name] = {"state": states[name], "seconds": seconds, "silent": silent}
                write_json(folder / LIST, {**made, "songs": dict(sorted(songs.items()))})
            show(done, len(waiting))
    if not songs:
        raise ValueError(f"no song in {folder} can be read: {'; '.join(failed)}")
    made["songs"] = dict(sorted(songs.items()))
    write_json(folder / LIST, made)
    return made, failed


def silences_of(
    model: Separator, path: Path, threshold_db: float = THRESHOLD_DB, device: str | torch.device | None = None
) -> tuple[float, dict[str, Spans]]:
    """The length of one song in seconds, and where each target is silent; in bounded memory.

    Raises:
        ValueError, OSError: If the file cannot be read, or the model not be adapted to its channels.
    """
    with AudioReader(path) as reader:
        rate, channels = reader.sample_rate, reader.channels
        mixture, estimates = _Energies(round(BLOCK_SECONDS * rate)), _Energies(round(BLOCK_SECONDS * rate))

        def heard() -> Iterator[np.ndarray]:
            for block in reader.blocks():
                mixture.add(block[None])
                yield block

        stream = InputStream(heard(), rate, channels, name=str(path))
        for stems in separate_blocks(model, stream, Inference(device=device)):
            estimates.add(np.stack([stems[target] for target in model.targets]))
    total = mixture.blocks[0]
    frames = np.minimum(mixture.size, mixture.done - mixture.size * np.arange(len(total)))
    audible = total >= 10 ** (AUDIBLE_DB / 10) * channels * frames
    silent = (estimates.blocks <= 10 ** (threshold_db / 10) * total) & audible
    ends = np.minimum(mixture.size * np.arange(len(total) + 1), mixture.done) / rate
    return round(mixture.done / rate, 6), {
        target: _spans(blocks, ends) for target, blocks in zip(model.targets, silent, strict=True)
    }


def _check(folder: Path, name: str) -> None:
    """Refuse a song that training, which reads it in parts, could not read."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{folder / name} has a name that is not UTF-8, and {LIST} is: rename it") from error
    song_of(folder, name).check()


class _Energies:
    """The energy of each block of a stream, channels together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.done = 0
        self._sums: list[np.ndarray] = []  # (rows,) of each block

    def add(self, samples: np.ndarray) -> None:
        """Take the next samples (rows, C, frames), any number of them."""
        for start in range(-(self.done % self.size), samples.shape[-1], self.size):
            part = samples[..., max(0, start) : start + self.size]
            energy = np.square(part, dtype=np.float64).sum((1, 2))
            if start < 0:
                self._sums[-1] += energy
            else:
                self._sums.append(energy)
        self.done += samples.shape[-1]

    @property
    def blocks(self) -> np.ndarray:
        """(rows, blocks)."""
        return np.stack(self._sums, 1)


def _spans(silent: np.ndarray, edges: np.ndarray) -> Spans:
    """The runs of silent blocks (n,) that are long enough, by the seconds at which blocks begin and end (n + 1,)."""
    changes = np.flatnonzero(np.diff(silent, prepend=False, append=False)).reshape(-1, 2)
    spans = [[round(float(edges[first]), 6), round(float(edges[last]), 6)] for first, last in changes]
    return [[start, end] for start, end in spans if end - start >= LEAST_SECONDS]


def _states(folder: Path) -> dict[str, dict[str, int]]:
    """Every song of a folder, in order, and by what a change of it is seen."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: correct the path")
    states = {}
    for path in sorted(audio_files(folder)):
        name = path.relative_to(folder)
        try:
            status = path.stat()
            states[name.as_posix()] = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
        except OSError:  # a link to nothing; what is wrong is said when it is listened to
            states[name.as_posix()] = {"bytes": 0, "mtime_ns": 0}
    if not states:
        raise ValueError(f"{folder} holds no audio file: name the folder of the songs")
    return states


def _listed(folder: Path, made: dict[str, Any]) -> dict[str, Any]:
    """The songs of an earlier list that was made alike."""
    try:
        held = read_list(folder)
        alike = {**held["made_by"], "msbench": VERSION} == made["made_by"] and held["targets"] == made["targets"]
        return {name: song for name, song in held["songs"].items() if song["state"]} if alike else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
