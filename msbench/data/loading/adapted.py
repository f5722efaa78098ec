"""Tracks as a model hears them: at its sample rate and channel count."""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

import numpy as np

from msbench.data.loading.faults import BadTrack
from msbench.data.song import is_bad_file
from msbench.data.track import Track
from msbench.model.stft import resample
from msbench.system import errors

_FILTER_SAMPLES = 512  # reach of the resampler's filter to each side, at the lower of the two rates


class AdaptedTrack:
    """A track at another sample rate and channel count, read in parts or held in memory.

    A part is the same, but for rounding, as that part of the whole track resampled at once: the resampler sees what
    lies around it.

    Args:
        track: What is read.
        sample_rate: In Hz, of what is given.
        channels: Of what is given: the track's own, 1 (the mean of its channels) or, from a mono track, any (copies).

    Raises:
        ValueError: If the channel count cannot be made.
    """

    def __init__(self, track: Track, sample_rate: int, channels: int) -> None:
        if channels not in (1, track.channels) and track.channels != 1:
            raise ValueError(
                f"track '{track.name}' of split '{track.split}' has {track.channels} channels and the model "
                f"{channels}: mix its files to {channels} channels, or train a mono model"
            )
        self.track = track
        self.sample_rate = sample_rate
        self.channels = channels
        self.frames = -(-track.frames * sample_rate // track.sample_rate)
        self._held: dict[str, np.ndarray] = {}
        self._floats: dict[str, bool] = {}  # target: whether it may be NaN; to look takes a fifth of a read

    def hold(self, targets: Iterable[str]) -> None:
        """Keep these targets in memory, whole, from now on."""
        for target in targets:
            if target not in self._held:
                self._held[target] = self.read(target, 0, self.frames)

    def read(self, target: str, start: int, frames: int, out: np.ndarray | None = None) -> np.ndarray:
        """Read part of a target, or of the "mixture".

        Args:
            target: One of the track's.
            start: First sample, at this rate.
            frames: Number of samples, at this rate; zeros follow the track's end.
            out: Where to put them, (channels, frames) float32; an array of their own when None.

        Returns:
            (channels, frames) float32; where held in memory, not to be written to unless it is `out`.

        Raises:
            BadTrack: If a file cannot be read there, or holds NaN or infinity.
        """
        count = max(0, min(frames, self.frames - start))
        into = None if out is None else out[:, :count]
        if target in self._held:
            part = self._held[target][:, start : start + count]
        elif self.sample_rate == self.track.sample_rate:
            part = self._read_source(target, start, start + count, into)
        else:
            part = self._resampled(target, start, count)
        if out is None or into is None:
            return part if count == frames else np.pad(part, ((0, 0), (0, frames - count)))
        if part is not into:
            into[...] = part
        out[:, count:] = 0
        return out

    def _resampled(self, target: str, start: int, count: int) -> np.ndarray:
        """Resample from a moment at which the samples of both rates meet, with the filter's reach to each side."""
        common = gcd(self.sample_rate, self.track.sample_rate)
        up, down = self.sample_rate // common, self.track.sample_rate // common
        reach = -(-_FILTER_SAMPLES * max(up, down) // down)  # samples at this rate
        block = max(0, start - reach) // up
        end = min(self.track.frames, -(-(start + count + reach) * down // up))
        source = self._read_source(target, block * down, end)
        offset = start - block * up
        return resample(source, self.track.sample_rate, self.sample_rate)[:, offset : offset + count]

    def _read_source(self, target: str, start: int, end: int, into: np.ndarray | None = None) -> np.ndarray:
        """(channels, end - start), put into `into` where that takes no more work."""
        try:
            alike = self.track.channels == self.channels
            source = self.track.read(target, start, end - start, into if alike else None)
        except (ValueError, OSError) as error:
            if not is_bad_file(error):
                raise
            raise BadTrack(errors.sentence(error), self.track) from error
        if target not in self._floats:
            self._floats[target] = self.track.holds_floats(target)
        if self._floats[target] and not np.isfinite(source).all():
            rate, path = self.track.sample_rate, self.track.files.get(target)
            raise BadTrack(
                f"{path or f'{target} of {self.track!r}'} holds NaN or infinity between {start / rate:.3f} s and "
                f"{end / rate:.3f} s: download or export it again",
                self.track,
            )
        if len(source) == self.channels:
            return source
        if self.channels > 1:
            return np.repeat(source, self.channels, axis=0)
        total = source[:1] + source[1:2]  # np.mean over so short an axis takes four times as long
        for channel in source[2:]:
            total += channel
        total *= np.float32(1 / len(source))
        return total
