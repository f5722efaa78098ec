"""Where the estimates of a track come from: a model, or files that some other tool wrote."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from msbench import records, registry
from msbench.audio.files import BLOCK_FRAMES
from msbench.data.dataset import Dataset
from msbench.data.track import MIXTURE, Track, header_difference
from msbench.evaluation.signals import Read, Spool
from msbench.model.checkpoints import create, read_checkpoint
from msbench.model.costs import macs_per_second
from msbench.model.separator import Separator, parameter_count
from msbench.separation.inference import Inference
from msbench.separation.input_stream import InputStream
from msbench.separation.model_calls import adaptation
from msbench.separation.pipeline import separate_blocks
from msbench.system.files import sha256_of

EXTENSIONS = (".wav", ".flac")


class Estimates(NamedTuple):
    """Of one track, in the order of the source's targets."""

    read: Read
    names: list[str]  # what an error calls each
    seconds: float | None  # that the separation took


class Source(Protocol):
    """Gives estimates of tracks. It travels to other processes by pickle."""

    targets: list[str]

    def identity(self, track: Track) -> Any:
        """What the estimates of a track depend on, as JSON: where it is the same, so are they."""

    def estimates(self, track: Track) -> contextlib.AbstractContextManager[Estimates]:
        """The estimates, readable within the context."""

    def described(self, tracks: list[Track], label: str | None) -> dict[str, Any]:
        """The record's `model`, `checkpoint`, `training` and `inference`."""


class ModelSource:
    """Estimates that a model makes.

    Args:
        separator: The model.
        checkpoint: The file its weights came from, if there is one.
        inference: Fields of `msbench.separation.inference.Inference`, `device` among them.
    """

    def __init__(self, separator: Separator, checkpoint: str | Path | None, inference: dict[str, Any]) -> None:
        self.separator, self.inference = separator, inference
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.targets = list(separator.targets)
        self.registered = separator.registered or {"name": type(separator).__name__, "options": {}}
        self.weights = None if self.checkpoint is None else sha256_of(self.checkpoint)

    def __reduce__(self) -> Any:
        # The class of a plugin in a single file cannot be imported elsewhere: what was registered is made anew there.
        if self.separator.registered is None:
            return ModelSource, (self.separator, self.checkpoint, self.inference)
        state = {name: tensor.detach().cpu() for name, tensor in self.separator.state_dict().items()}
        return _again, (self.separator.registered, state, self.checkpoint, self.inference)

    def identity(self, track: Track) -> Any:
        return [self.registered, self.weights, self._inference]

    @contextlib.contextmanager
    def estimates(self, track: Track) -> Iterator[Estimates]:
        """Separate into a temporary file.

        Raises:
            ValueError: If the model cannot take the track, or gives what is not finite.
        """
        started = time.perf_counter()
        mixture = InputStream(self._input(track), track.sample_rate, track.channels, track.seconds, track.name)
        stream = separate_blocks(self.separator, mixture, Inference.of(self.inference))
        with Spool(len(self.targets), track.channels) as spool:
            for block in stream:
                spool.write(np.stack([block[target] for target in self.targets]))
            seconds = time.perf_counter() - started
            yield Estimates(spool.read, [f"the estimate of {target}" for target in self.targets], seconds)

    def _input(self, track: Track) -> Iterator[np.ndarray]:
        wanted = [MIXTURE, *(self.targets if self.separator.needs_references else [])]
        for start in range(0, track.frames, BLOCK_FRAMES):
            count = min(BLOCK_FRAMES, track.frames - start)
            yield np.stack([track.read(name, start, count) for name in wanted])

    @property
    def _inference(self) -> dict[str, Any]:
        return {**self.inference, "device": str(self.inference["device"]), "dtype": "float32"}

    def described(self, tracks: list[Track], label: str | None) -> dict[str, Any]:
        checkpoint, seed = None, None
        if self.checkpoint is not None:
            content = read_checkpoint(self.checkpoint)
            seed = content.get("seed")
            checkpoint = {
                "sha256": self.weights, "step": content.get("global_step"), "epoch": content.get("epoch"),
                "selection": self.checkpoint.stem, "ema": "averaging_state" in content,
            }  # fmt: skip
        model = {
            **self.registered,
            "label": label or self.registered["name"],
            "role": self.separator.role,
            "config_sha256": records.digest(self.registered),
            "parameters": parameter_count(self.separator),
            "macs_per_second": macs_per_second(self.separator),
            "licence": registry.licence_of("models", self.registered["name"]),
            "targets": self.targets,
            "adaptation": adaptation(self.separator, tracks[0].sample_rate, tracks[0].channels),
        }
        return {
            "model": model, "checkpoint": checkpoint, "training": self._training(tracks), "inference": self._inference,
            "seed": seed,
        }  # fmt: skip

    def _training(self, tracks: list[Track]) -> dict[str, Any]:
        if not self.separator.trainable:
            return {"data": "standard", "datasets": [], "tracks": 0, "hours": 0.0}  # it has learned from none
        known = {} if self.checkpoint is None else read_checkpoint(self.checkpoint).get("training") or {}
        return {"data": "unknown", "datasets": None, "tracks": None, "hours": None} | known


def _again(registered: dict[str, Any], state: dict[str, Any], checkpoint: Path | None, inference: Any) -> ModelSource:
    separator = create(registered["name"], registered["options"])
    separator.load_state_dict(state)
    return ModelSource(separator, checkpoint, inference)


class FolderSource:
    """Estimates in files, in museval's layout: <folder>/[<split>/]<track>/<target>.wav, or .flac.

    Args:
        folder: The folder.
        data: The dataset that the tracks are of.
        split: The split.
        targets: Which to score together; by default the dataset's stems where all are there, else what is there.
        tracks: Those of the split to look for; all by default.

    Raises:
        FileNotFoundError: If the folder, a track's folder or a target's file is missing.
        ValueError: If no file is named after a target, targets overlap, or a file does not fit its reference.
    """

    def __init__(
        self,
        folder: str | Path,
        data: Dataset,
        split: str,
        targets: Sequence[str] | None = None,
        tracks: list[Track] | None = None,
    ) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no folder of estimates {folder}: correct the path")
        inner = self.folder / split
        self._root = inner if inner.is_dir() else self.folder
        tracks = tracks or data.tracks(split)
        absent = [track.name for track in tracks if not (self._root / track.name).is_dir()]
        if absent:
            raise FileNotFoundError(
                f"{self._root} lacks {len(absent)} of {len(tracks)} tracks, '{absent[0]}' first: separate them, or "
                "give the folder that holds one folder a track"
            )
        self.targets = list(targets or self._targets_of(tracks[0], data))
        for target in self.targets:
            data_has(data, target)
        parts = [part for target in self.targets for part in tracks[0].parts(target)]
        if len(set(parts)) != len(parts):
            raise ValueError(f"the targets {', '.join(self.targets)} overlap: choose some with --targets")
        self._tracks = {track.name: self._checked(track) for track in tracks}

    def _targets_of(self, track: Track, data: Dataset) -> list[str]:
        found = [target for target in data.targets if self._files(track, target)]
        if not found:
            raise ValueError(
                f"{self._root / track.name} has no estimate of a target of '{data.name}': name the files "
                f"{', '.join(f'{target}.wav' for target in data.targets)}"
            )
        return list(data.stems) if set(data.stems) <= set(found) else found

    def _files(self, track: Track, target: str) -> list[Path]:
        paths = [self._root / track.name / f"{target}{extension}" for extension in EXTENSIONS]
        return [path for path in paths if path.is_file()]

    def _checked(self, track: Track) -> Track:
        """The estimates of a track, as a track."""
        paths: dict[str, Path] = {}
        for target in self.targets:
            files = self._files(track, target)
            if not files:
                raise FileNotFoundError(
                    f"{self._root / track.name} has no {target}.wav or .flac, and other tracks have: separate "
                    "the track again, or leave the target out with --targets"
                )
            if len(files) > 1:
                raise ValueError(f"{files[0]} and {files[1].name} are both there: remove the one that does not count")
            paths[target] = files[0]
        estimates = Track(track.name, track.split, dict(paths))
        first = next(iter(track.files.values()))
        for target, path in paths.items():
            header = Track(track.name, track.split, {"estimate": path}).header
            if header != track.header:
                raise ValueError(header_difference(path, header, track.files.get(target, first), track.header))
        return estimates

    def identity(self, track: Track) -> Any:
        return [[target, sha256_of(path)] for target, path in self._tracks[track.name].files.items()]

    @contextlib.contextmanager
    def estimates(self, track: Track) -> Iterator[Estimates]:
        """The files themselves."""
        found = self._tracks[track.name]
        names = [str(found.files[target]) for target in self.targets]
        yield Estimates(reader(found, self.targets), names, None)

    def described(self, tracks: list[Track], label: str | None) -> dict[str, Any]:
        name = label or self.folder.resolve().name
        files = [self.identity(track) for track in tracks]
        model: dict[str, Any] = {
            "name": name, "label": name, "role": "system", "options": {}, "config_sha256": records.digest(files),
            "parameters": None, "macs_per_second": None, "licence": None, "targets": self.targets, "adaptation": {},
        }  # fmt: skip
        training = {"data": "unknown", "datasets": None, "tracks": None, "hours": None}
        unknown = dict.fromkeys(("chunk_seconds", "overlap", "batch_size", "device", "dtype"))
        return {"model": model, "checkpoint": None, "training": training, "inference": unknown, "seed": None}


def data_has(data: Dataset, target: str) -> None:
    """Raise ValueError where a dataset lacks a target."""
    if target not in data.targets:
        raise ValueError(f"dataset '{data.name}' has no target {target}: it has {', '.join(data.targets)}")


def reader(track: Track, targets: list[str]) -> Read:
    """Reads some targets of a track side by side."""
    return lambda start, stop: np.stack([track.read(target, start, stop - start) for target in targets])
