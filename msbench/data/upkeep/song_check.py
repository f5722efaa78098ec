"""What is wrong with one song of a dataset: with its files, and with the samples in them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from msbench.audio.reading import BLOCK_FRAMES
from msbench.data.dataset import Dataset
from msbench.data.song import Song, Waves
from msbench.data.track import MIXTURE
from msbench.system.files import sha256_of

ERROR, WARNING, NOTE = "error", "warning", "note"


class DataFinding(NamedTuple):
    """One thing that is not as it should be."""

    level: str  # ERROR: a file to repair; WARNING: not as published; NOTE: known, or by design
    sentence: str


def check_file(song: Song, role: str, path: Path) -> tuple[dict[str, Any], DataFinding | None]:
    """What the manifest says of a file, and what is wrong with it as a file."""
    where = f"track '{song.name}' of split '{song.split}'"
    try:
        size = path.stat().st_size
        if size == 0:
            return {}, DataFinding(ERROR, f"{path} has zero length: export or download it again")
        sha256 = sha256_of(path)
    except FileNotFoundError:
        return {}, DataFinding(ERROR, f"{where} lacks its {role}, {path}: restore the file or remove the track")
    except OSError as error:
        return {}, DataFinding(ERROR, f"cannot read {path} ({error.strerror}): correct its permissions, or the disk")
    described: dict[str, Any] = {"file": path.name, "bytes": size, "sha256": sha256}
    try:
        info = soundfile.info(path)
        described |= {"format": info.format, "subtype": info.subtype, "channels": info.channels}
    except soundfile.SoundFileError:
        pass  # a stem.mp4, or broken, which reading its samples will say
    return described, None


def check_samples(data: Dataset, song: Song, waves: Waves, found: dict[str, Any]) -> Iterator[DataFinding]:
    """What is wrong with the samples of a song; puts its numbers into `found`."""
    where = f"track '{song.name}' of split '{song.split}'"
    rate, channels, frames = waves.header
    found |= {"sample_rate": rate, "channels": channels, "frames": frames}
    if data.rates and rate not in data.rates:
        published = " or ".join(map(str, data.rates))
        yield DataFinding(
            WARNING, f"{where} has a sample rate of {rate} Hz, and '{data.name}' is published at {published}"
        )
    broken: dict[str, int] = {}
    loudest = dict.fromkeys(waves.subtypes, 0.0)
    energy, left = np.zeros(channels), np.zeros(channels)
    for start in range(0, frames, BLOCK_FRAMES):
        count = min(BLOCK_FRAMES, frames - start)
        blocks = {name: waves.read(name, start, count) for name in waves.subtypes}
        for name, block in blocks.items():
            wrong = int(np.count_nonzero(~np.isfinite(block)))
            if wrong:
                broken[name] = broken.get(name, 0) + wrong
            loudest[name] = max(loudest[name], float(np.max(np.abs(block), initial=0)))
        if MIXTURE in blocks and not broken:
            mixture = blocks.pop(MIXTURE)
            energy += np.sum(np.square(mixture, dtype=np.float64), axis=1)
            left += np.sum(np.square(mixture - sum(blocks.values()), dtype=np.float64), axis=1)
    for name, wrong in broken.items():
        files = [path for role, path in song.files.items() if role == name or role.startswith(f"{name} (")]
        listed = ", ".join(map(str, files or song.files.values()))
        yield DataFinding(
            ERROR, f"{where}: {wrong} samples of its {name} ({listed}) are NaN or infinite: export it again"
        )
    silent = [name for name, peak in loudest.items() if peak == 0 and name not in broken]
    if silent:
        yield DataFinding(NOTE, f"{where} is silent throughout in {', '.join(silent)}")
    if MIXTURE in waves.subtypes and not broken:
        found["sum_error_db"] = [_decibels(e, m) for e, m in zip(left, energy, strict=True)]
        yield from _sum(data, song, where, found["sum_error_db"])


def _sum(data: Dataset, song: Song, where: str, errors: list[float | None]) -> Iterator[DataFinding]:
    limit = data.sum_error_db
    if limit is None or all(error is None or error <= limit for error in errors):
        return
    names = ["left", "right"] if len(errors) == 2 else [f"{i + 1}" for i in range(len(errors))]
    parts = [f"{n} {e:.1f} dB" for n, e in zip(names, errors, strict=True) if e is not None and e > limit]
    known = song.name in data.errata
    yield DataFinding(
        NOTE if known else WARNING,
        f"{where}: its stems do not add up to the mixture; what is left has, of the mixture, {', '.join(parts)} "
        f"(at most {limit:g} dB expected)" + (", as its publishers say" if known else ""),
    )


def errata(data: Dataset, song: Song) -> Iterator[DataFinding]:
    """What the publishers say is wrong with a song."""
    if song.name in data.errata:
        yield DataFinding(NOTE, f"published erratum of {song.split}/{song.name}: {data.errata[song.name]}")


def _decibels(part: float, whole: float) -> float | None:
    """The ratio of two energies in dB, to a tenth; None where the part is zero.

    A part of nothing has no ratio that JSON can hold; 999 dB fails any limit.
    """
    if part == 0:
        return None
    return 999.0 if whole == 0 else round(10 * math.log10(part / whole), 1)
