"""Tracks: songs as lazy readers over their audio files; torch is not imported."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from msbench.audio.finding import INEXACT
from msbench.audio.reading import AudioReader
from msbench.data.samples import layout_of, read_samples
from msbench.data.song import Header, Waves

MIXTURE = "mixture"

_AT_MOST_16_BITS = ("PCM_16", "PCM_S8", "PCM_U8")


class Channel(NamedTuple):
    """One channel of a file, as a mono source."""

    path: Path
    number: int  # from 0, the left one


FileOrChannel = Path | Channel
Stem = FileOrChannel | Mapping[FileOrChannel, float]  # of a sum, the weights


class Track:
    """One song of a split: a mixture and the stems it is the sum of.

    Nothing is opened at construction; the headers of all files are read and compared once, by `check` or by the first
    use. A read touches the frames asked for alone.

    Args:
        name: Unique within its split.
        split: Such as "train".
        stems: The parts that add up to the mixture: each a file or one `Channel` of a file, or a weighted sum of them
            where no file holds the stem as it is ({mixture file: 1, vocals file: -1} is an accompaniment); an empty
            sum is a stem that is silent throughout. A channel is copied to all channels that the track's other files
            have; a track of nothing but single channels is mono.
        mixture: Its file; where there is none, the mixture is the sum of the stems.
        sums: Further targets, each the sum of the stems named.
        header: What the files have in common, where that is known already; they are not opened then.
        prepared: Whether `data prepare` wrote the files: nobody cuts them short while they are read, so that they may
            be mapped into memory.

    Attributes:
        stems: Names of the stems.
        targets: Names of the stems and of the sums.
    """

    def __init__(
        self,
        name: str,
        split: str,
        stems: Mapping[str, Stem],
        *,
        mixture: Path | None = None,
        sums: Mapping[str, tuple[str, ...]] | None = None,
        header: Header | None = None,
        prepared: bool = False,
    ) -> None:
        self.name = name
        self.split = split
        self.stems = tuple(stems)
        self._sums = dict(sums or {})
        self.targets = (*self.stems, *self._sums)
        files: dict[str, dict[FileOrChannel, float]] = {
            stem: dict(part) if isinstance(part, Mapping) else {part: 1.0} for stem, part in stems.items()
        }
        for target, parts in {**self._sums, MIXTURE: self.stems}.items():
            files[target] = {}
            for source, weight in (item for part in parts for item in files[part].items()):
                files[target][source] = files[target].get(source, 0.0) + weight
        self._mappable = prepared
        self._has_mixture = mixture is not None
        if mixture is not None:
            files[MIXTURE] = {mixture: 1.0}
        self._files = files
        if header is not None:
            self.header = header

    def __repr__(self) -> str:
        return f"Track({self.split}/{self.name})"

    @property
    def files(self) -> dict[str, Path]:
        """Every audio file of the track, by what it holds."""
        roles: dict[Path, str] = {}
        for target in (*self.stems, MIXTURE):
            if len(self._files[target]) == 1 and isinstance(source := next(iter(self._files[target])), Path):
                roles.setdefault(source, target)
        for stem in self.stems:
            for source in self._files[stem]:
                path = _path(source)
                roles.setdefault(path, f"{stem} ({path.name})")
        return {role: path for path, role in roles.items()}

    def parts(self, target: str) -> tuple[str, ...]:
        """The stems that a target is the sum of.

        Raises:
            ValueError: If the track has no such target.
        """
        if target == MIXTURE:
            return self.stems
        if target not in self.targets:
            raise ValueError(f"track '{self.name}' has no target '{target}': it has {', '.join(self.targets)}")
        return self._sums.get(target, (target,))

    def covers(self, targets: list[str] | tuple[str, ...]) -> bool:
        """Whether these targets hold every stem exactly once, and so add up to the mixture."""
        return sorted(part for target in targets for part in self.parts(target)) == sorted(self.stems)

    @cached_property
    def header(self) -> Header:
        """Of all files; reading it checks them (see `check`)."""
        headers = {path: self._read_header(role, path) for role, path in self.files.items()}
        assert headers, "a track has at least one file"
        sources = {source for sources in self._files.values() for source in sources}
        single = {source.path for source in sources if isinstance(source, Channel)} - sources
        for source in sources:
            if isinstance(source, Channel) and source.number >= headers[source.path].channels:
                raise ValueError(
                    f"{source.path} has {headers[source.path].channels} channels, and its channel {source.number + 1} "
                    "holds a stem: download or export it again"
                )
        whole = next((path for path in headers if path not in single), None)
        channels = 1 if whole is None else headers[whole].channels
        first: tuple[Path, Header] | None = None
        for path, header in headers.items():
            agreed = header._replace(channels=channels) if path in single else header
            first = first or (path, agreed)
            if agreed != first[1]:
                raise ValueError(header_difference(path, agreed, *first))
        assert first is not None
        return first[1]

    def _read_header(self, role: str, path: Path) -> Header:
        if path.suffix.lower() in INEXACT:
            raise _not_in_parts(path)
        try:
            mode = path.stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # to open a pipe would wait for ever
                raise ValueError(f"{path} is a pipe or a device: write the audio into a file first")
            plain = layout_of(path)
            if plain is not None:
                return Header(plain.sample_rate, plain.channels, plain.frames)
            with AudioReader(path) as reader:
                if not reader.in_parts:
                    raise _not_in_parts(path)
                if reader.frames is None:
                    raise ValueError(
                        f"{path} does not say its length: rewrite it with `ffmpeg -i {path} rewritten{path.suffix}`"
                    )
                return Header(reader.sample_rate, reader.channels, reader.frames)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"track '{self.name}' of split '{self.split}' lacks its {role}, {path}: restore the file or remove the "
                "track"
            ) from error

    def check(self) -> None:
        """Open every file, so that what is missing or broken is said now.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is corrupt, cut short or empty, or its rate, channel count or length differs from
                the others'.
        """
        self.header  # noqa: B018  # computed once, kept

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.header.sample_rate

    @property
    def channels(self) -> int:
        return self.header.channels

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return self.header.frames

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.sample_rate

    def read(self, target: str, start: int = 0, frames: int | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Read part of a target, or of the "mixture".

        Args:
            target: One of `targets`, or "mixture".
            start: First sample.
            frames: Number of samples; all that follow when None.
            out: Where to put them, (channels, frames) float32; a new array when None.

        Returns:
            (channels, frames) float32, full scale at one.

        Raises:
            ValueError: If there is no such target, the range is not within the track, or a file is corrupt there.
            FileNotFoundError: If a file has been removed.
        """
        self.parts(target)
        count = self.frames - start if frames is None else frames
        if start < 0 or count < 0 or start + count > self.frames:
            raise ValueError(
                f"samples {start} to {start + count} are not within track '{self.name}', which has {self.frames}"
            )
        total = np.empty((self.channels, count), np.float32) if out is None else out
        parts = [(source, weight) for source, weight in self._files[target].items() if weight != 0]
        if not parts:
            total[...] = 0
        for i, (source, weight) in enumerate(parts):
            block = total if i == 0 else np.empty_like(total)
            self._read_source(source, start, block)
            if weight != 1:
                block *= np.float32(weight)
            if i > 0:
                total += block
        return total

    def _read_source(self, source: FileOrChannel, start: int, out: np.ndarray) -> None:
        if isinstance(source, Channel):
            out[...] = read_samples(source.path, start, self.sample_rate, out, source.number)
        else:
            read_samples(source, start, self.sample_rate, out, mappable=self._mappable)

    def holds_floats(self, target: str) -> bool:
        """Whether a file of a target, or of the "mixture", has floating-point samples, and so may hold NaN."""
        paths = {_path(source) for source in self._files[target]}
        try:
            return any(_subtype_of(path) in ("FLOAT", "DOUBLE") for path in paths)
        except (OSError, soundfile.SoundFileError):
            return True  # it has been removed meanwhile, which the next read says

    def waves(self) -> Waves:
        """What `data prepare` stores of it: the mixture, where a file holds it, and the stems that are not silent."""
        stored = [stem for stem in self.stems if self._files[stem]]
        if self._has_mixture:
            stored.insert(0, MIXTURE)
        return Waves(self.header, {name: self._subtype(name) for name in stored}, self.read)

    def estimated_bytes(self, sample_rate: int | None) -> int:
        """Of WAV files of what `waves` gives, at a rate in Hz or as they are."""
        return self.waves().bytes_at(sample_rate)

    def _subtype(self, target: str) -> str:
        (source, weight), *more = self._files[target].items()
        path = _path(source)
        exact = not more and weight == 1 and _subtype_of(path) in _AT_MOST_16_BITS
        return "PCM_16" if exact else "FLOAT"


def _subtype_of(path: Path) -> str:
    """How a file stores its samples, as libsndfile calls it; of plain WAV its cached layout says that already."""
    plain = layout_of(path)
    if plain is None:
        return str(soundfile.info(path).subtype)
    return "PCM_16" if plain.dtype == "<i2" else "FLOAT"


def _not_in_parts(path: Path) -> ValueError:
    return ValueError(f"{path} cannot be read in parts exactly: convert it, `ffmpeg -i {path} -vn converted.flac`")


def _path(source: FileOrChannel) -> Path:
    return source.path if isinstance(source, Channel) else source


def header_difference(path: Path, header: Header, other_path: Path, other: Header) -> str:
    """In what two files differ that should agree, and what to do about it."""
    name = other_path.name if other_path.parent == path.parent else str(other_path)
    if header.sample_rate != other.sample_rate:
        what = f"a sample rate of {header.sample_rate} Hz, {name} of {other.sample_rate} Hz"
        fix = "resample one of the two"
    elif header.channels != other.channels:
        what, fix = f"{header.channels} channels, {name} {other.channels}", "export it with as many channels"
    else:
        what, fix = f"{header.frames} samples, {name} {other.frames}", "export it with the same length"
    return f"{path} has {what}, and all files of a track must agree: {fix}"
