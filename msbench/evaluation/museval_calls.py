"""museval's calls that score a track of musdb or a folder, with msbench's faster evaluator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from msbench.metrics import bss_eval
from msbench.records import METRICS
from msbench.system.files import write_text
from msbench.system.names import inside

APART = ["vocals", "accompaniment"]  # scored by themselves: accompaniment is the sum of the other targets


def eval_mus_track(
    track: Any,
    user_estimates: Mapping[str, Any],
    output_dir: str | os.PathLike[str] | None = None,
    mode: str = "v4",
    win: float = 1.0,
    hop: float = 1.0,
) -> Any:
    """Score the estimates of one track as `museval.eval_mus_track` does, faster.

    Where vocals and accompaniment are both estimated, they are scored as a pair, and the other targets together with
    vocals before that. Estimates of targets that the track does not have are passed over. Estimates that are shorter
    than the references are padded with zeros, longer ones are cut.

    Args:
        track: A track of musdb: anything with `targets` ({name: object with `audio`, (T, C)}), `rate`, `name`, and
            `subset` if an `output_dir` is given.
        user_estimates: {target: (T, C) array}.
        output_dir: Where museval's JSON is written, as <output_dir>/<subset>/<name>.json; nowhere when None.
        mode: `v4`, or `v3` for new filters in each window.
        win: Seconds of a window.
        hop: Seconds between the starts of windows.

    Returns:
        museval's own `TrackStore`. It is empty, with a UserWarning, where fewer than two targets are estimated.

    Raises:
        ValueError: As `bss_eval`, or if the name or subset of the track cannot be that of a file or folder.
        OSError: If the JSON cannot be written. museval passes over that in silence.
        ImportError: If museval cannot be imported.
    """
    store = _track_store(track.name, win, hop)
    names = [name for name in track.targets if name in user_estimates]
    apart = all(name in names for name in APART)
    together = [name for name in names if not (apart and name == "accompaniment")]
    audio = {name: np.asarray(track.targets[name].audio) for name in names}  # musdb decodes at each access

    def score(group: list[str]) -> dict[str, np.ndarray]:
        values = _values(
            [audio[name] for name in group],
            [np.asarray(user_estimates[name]) for name in group],
            (int(win * track.rate), int(hop * track.rate)),
            mode,
        )
        return {name: values[:, i] for i, name in enumerate(group)}

    if len(together) >= 2:
        _add(store, {name: v for name, v in score(together).items() if not (apart and name == "vocals")})
    elif not apart:
        message = "BSSEval needs estimates of two targets at least: the scores are empty"
        warnings.warn(message, UserWarning, stacklevel=2)
    if apart:
        _add(store, score(APART))
    if output_dir is not None and str(output_dir):
        _write(store, Path(output_dir), [track.subset, f"{track.name}.json"])
    return store


def eval_dir(
    reference_dir: str | os.PathLike[str],
    estimates_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str] | None = None,
    mode: str = "v4",
    win: float = 1.0,
    hop: float = 1.0,
) -> Any:
    """Score the WAV files of a folder against those of another as `museval.eval_dir` does, faster.

    Files are compared by name. museval goes by the order in which the file system lists them, which may compare
    vocals with drums.

    Args:
        reference_dir: Folder of *.wav, the references.
        estimates_dir: Folder of *.wav of the same names, the estimates.
        output_dir: Where museval's JSON is written, as <output_dir>/<name of reference_dir>.json; nowhere when None.
            museval writes nothing.
        mode: `v4`, or `v3` for new filters in each window.
        win: Seconds of a window.
        hop: Seconds between the starts of windows.

    Returns:
        museval's own `TrackStore`. As in museval, the names of its targets keep their ".wav".

    Raises:
        ValueError: As `bss_eval`; or if there are no WAV files, or not the same in both folders, or of several sample
            rates.
        OSError: If a file cannot be read or written.
        ImportError: If museval cannot be imported.
    """
    folder = Path(reference_dir)
    references, estimates = _wav_files(folder), _wav_files(Path(estimates_dir))
    if not references:
        raise ValueError(f"{folder} has no WAV files")
    if references.keys() != estimates.keys():
        alone = ", ".join(sorted(references.keys() ^ estimates.keys()))
        raise ValueError(f"{folder} and {estimates_dir} must have WAV files of the same names: only one has {alone}")
    audio, rate = _read([*references.values(), *estimates.values()])
    name = Path(os.path.abspath(folder)).name  # also of ".", and of a path that ends in a slash
    store = _track_store(name, win, hop)
    values = _values(audio[: len(references)], audio[len(references) :], (int(win * rate), int(hop * rate)), mode)
    _add(store, {target: values[:, i] for i, target in enumerate(references)})
    if output_dir is not None and str(output_dir):
        _write(store, Path(output_dir), [f"{name}.json"])
    return store


def _track_store(name: str, win: float, hop: float) -> Any:
    """An empty TrackStore of museval's.

    Raises:
        ImportError: If museval is not there, or has no ffmpeg.
    """
    try:
        import museval
    except RuntimeError as error:  # stempeg looks for ffmpeg when it is imported
        raise ImportError(f"museval cannot be imported ({error}): install ffmpeg") from error
    return museval.TrackStore(win=win, hop=hop, track_name=name)


def _values(references: list[np.ndarray], estimates: list[np.ndarray], sizes: tuple[int, int], mode: str) -> np.ndarray:
    """SDR, ISR, SIR and SAR of targets (T, C): (4, S, windows).

    Args:
        references: One array per target, of one length.
        estimates: The same; cut or padded to the references' length.
        sizes: Samples of a window and of a hop.
        mode: v4 or v3. Anything else is v4, as in museval.
    """
    theirs, ours = np.array(references), np.array(estimates)
    missing = theirs.shape[1] - ours.shape[1]
    ours = np.pad(ours, [(0, 0), (0, missing), (0, 0)]) if missing > 0 else ours[:, : theirs.shape[1]]
    window, hop = sizes
    return np.stack(bss_eval(theirs, ours, window=window, hop=hop, framewise_filters=mode == "v3")[:4])


def _add(store: Any, values: Mapping[str, np.ndarray]) -> None:
    """Adds the values (4, windows) of targets."""
    for name, value in values.items():
        store.add_target(name, {metric: each.tolist() for metric, each in zip(METRICS, value, strict=True)})


def _write(store: Any, folder: Path, names: list[str]) -> None:
    store.validate()
    path = inside(folder, *names)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, store.json)


def _wav_files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.glob("*.wav")) if not path.name.startswith(".")}


def _read(paths: list[Path]) -> tuple[list[np.ndarray], int]:
    """The samples (T, C) of files of one sample rate, and that rate."""
    audio: list[np.ndarray] = []
    rates: dict[int, Path] = {}
    for path in paths:
        samples, rate = soundfile.read(path, always_2d=True)
        audio.append(samples)
        rates.setdefault(rate, path)
    if len(rates) > 1:
        listed = ", ".join(f"{path} has {rate} Hz" for rate, path in rates.items())
        raise ValueError(f"the files must have one sample rate: {listed}")
    return audio, next(iter(rates))
