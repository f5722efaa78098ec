"""A track as a figure: waveforms and spectrograms of its stems, or of estimates with their references."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from msbench.data.dataset import Dataset
from msbench.data.track import MIXTURE, Track
from msbench.system.files import replacing
from msbench.system.wording import did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SignalReader = Callable[[int, int], np.ndarray]  # (start, stop) -> (C, stop - start)

_COLUMNS = 800  # of a spectrogram, and of an envelope: about a pixel each
_WINDOW = 2048
_BLOCK_FRAMES = 2**18  # about so many are read at a time
_RANGE_DB = 80
_FONTS = {"Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "WenQuanYi Zen Hei", "Noto Sans Arabic"}
_BLUE, _ORANGE, _BLACK = "#0072B2", "#E69F00", "#000000"  # Okabe & Ito: distinct without red and green


def find_track(data: Dataset, name: str, split: str | None = None) -> Track:
    """A track of a split, or of any, by its name; no file of the others is opened.

    Raises:
        ValueError: If there is no such split or track (the nearest names are given), or several splits have others of
            this name, or a file of it is broken.
        FileNotFoundError: If a file of it is missing.
    """
    if split is not None and split not in data.splits:
        raise ValueError(
            f"dataset '{data.name}' at {data.root} has no split '{split}': it has {', '.join(data.splits)}"
        )
    tracks = []
    for each in [split] if split else data.splits:
        found = list(data.find_tracks(each))
        data.check_names(each, found)
        tracks += found
    found = [track for track in tracks if track.name == name]
    if not found:
        where = f"split '{split}' of dataset" if split else "dataset"
        hint = did_you_mean(name, (track.name for track in tracks)) or f"It has {len(tracks)} others."
        raise ValueError(f"{where} '{data.name}' at {data.root} has no track '{name}'. {hint.strip()}")
    if any(track.files != found[0].files for track in found):
        raise ValueError(f"splits {', '.join(t.split for t in found)} each have a track '{name}': choose with --split")
    data.check(found[0])
    return found[0]


def shown_part(track: Track, start: float | None, seconds: float) -> tuple[int, int]:
    """(first sample, last + 1) of so many seconds from `start` on, or of the middle; less where the track is shorter.

    Raises:
        ValueError: If nothing of the track is there.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"--seconds must be above 0, not {seconds:g}")
    frames = min(max(1, round(seconds * track.sample_rate)), track.frames)
    if start is None:
        first = (track.frames - frames) // 2
    elif 0 <= start < track.seconds:
        first = int(start * track.sample_rate)
    else:
        raise ValueError(f"--start must be within track '{track.name}', from 0 to {track.seconds:.2f} s, not {start:g}")
    return first, min(first + frames, track.frames)


def track_figure(data: Dataset, track: Track, part: tuple[int, int]) -> Figure:
    """The mixture and each stem: its waveform, and its spectrogram on one scale of dB for all."""
    names = [MIXTURE, *track.stems]
    views = [_view(_reader(track, name), name, part, track) for name in names]
    figure, axes = _figure(_title(data, track, part), len(views), [1, 1.6])
    peak = max(view.peak for view in views)
    top = _top(views)
    for view, (left, right) in zip(views, axes, strict=True):
        left.set_title(view.name + ("" if view.peak else " (silent)"), parse_math=False)
        _wave(left, view, _BLUE, peak)
        image = _spectrogram(right, view, top)
    figure.colorbar(image, ax=axes[:, 1].tolist(), label="dB (0: a sine of full scale)", aspect=40)
    return figure


def estimates_figure(
    data: Dataset, track: Track, part: tuple[int, int], targets: Sequence[str], estimates: Callable[..., np.ndarray]
) -> Figure:
    """Each target as a row: both waveforms and their difference, and the spectrograms of all three on one scale of dB.

    The SDR is 10 log10(|s|^2 / |s - s'|^2) of the part shown, all channels together.

    Args:
        data: The dataset.
        track: One of its tracks.
        part: First sample and last + 1.
        targets: Whose estimates there are.
        estimates: (start, stop) -> (S, C, stop - start), in the order of `targets`.
    """
    figure, axes = _figure(_title(data, track, part), len(targets), [1.3, 1, 1, 1])
    for i, (target, (left, *rest)) in enumerate(zip(targets, axes, strict=True)):
        reference = _reader(track, target)

        def estimate(start: int, stop: int, i: int = i) -> np.ndarray:
            return np.asarray(estimates(start, stop)[i])

        def difference(
            start: int, stop: int, given: SignalReader = reference, made: SignalReader = estimate
        ) -> np.ndarray:
            return made(start, stop) - given(start, stop)

        views = [
            _view(read, name, part, track)
            for read, name in ((reference, "reference"), (estimate, "estimate"), (difference, "difference"))
        ]
        top, peak = _top(views), max(view.peak for view in views)
        for view, color in zip(views, (_BLUE, _ORANGE, _BLACK), strict=True):
            _wave(left, view, color, peak)
        left.set_title(f"{target}: {_sdr(views[0], views[2])}", parse_math=False)
        for axis, view in zip(rest, views, strict=True):
            image = _spectrogram(axis, view, top)
            axis.set_title(view.name + ("" if view.peak else " (silent)"))
            axis.set_ylabel("kHz" if view is views[0] else "")
        figure.colorbar(image, ax=rest, label="dB", aspect=12)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower left", ncols=3, frameon=False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a PNG; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        figure.savefig(part, format="png", dpi=120)


class _View(NamedTuple):
    """What is drawn of a signal."""

    name: str
    seconds: tuple[float, float]
    sample_rate: int
    low: np.ndarray  # (columns,) the envelope, of all channels
    high: np.ndarray
    levels: np.ndarray  # (frequency, columns) in dB, channels together; 0 is a sine of full scale
    energy: float

    @property
    def peak(self) -> float:
        return float(max(self.high.max(), -self.low.min()))


def _view(read: SignalReader, name: str, part: tuple[int, int], track: Track) -> _View:
    """Read a part in blocks, so that memory does not grow with it.

    The columns of the spectrogram are spread over the part: in a long one, their windows do not overlap.

    Raises:
        ValueError: If a sample is NaN or infinite, or the file is corrupt.
    """
    first, last = part
    hop = max(32, -(-(last - first) // _COLUMNS))
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    lows, highs, levels, energy = [], [], [], 0.0
    width = max(1, _BLOCK_FRAMES // hop) * hop
    for begin in range(first, last, width):
        end = min(begin + width, last)
        # The window of a column is around its middle; zeros lie around the track.
        reach = (begin - _WINDOW, end + hop + _WINDOW)
        block = read(max(reach[0], 0), min(reach[1], track.frames))
        if not np.isfinite(block).all():
            moment = f"near {begin / track.sample_rate:.2f} s"
            raise ValueError(f"{name} of '{track.name}' holds NaN or infinity {moment}: write the file again")
        block = np.pad(block, ((0, 0), (max(0, -reach[0]), max(0, reach[1] - track.frames))))
        for at in range(_WINDOW, _WINDOW + end - begin, hop):
            samples = block[:, at : min(at + hop, _WINDOW + end - begin)]
            lows.append(samples.min())
            highs.append(samples.max())
            energy += float(np.square(samples, dtype=np.float64).sum())
            middle = at + hop // 2
            spectrum = np.fft.rfft(block[:, middle - _WINDOW // 2 : middle + _WINDOW // 2] * window)
            power = np.square(np.abs(spectrum) * (2 / window.sum())).mean(0)
            levels.append(10 * np.log10(power + 1e-20))
    seconds = (first / track.sample_rate, last / track.sample_rate)
    return _View(name, seconds, track.sample_rate, np.array(lows), np.array(highs), np.stack(levels, 1), energy)


def _reader(track: Track, target: str) -> SignalReader:
    return lambda start, stop: track.read(target, start, stop - start)


def _top(views: Sequence[_View]) -> float:
    """The upper end of the scale in dB, a multiple of 5; 0 where all is silent."""
    top = max(float(view.levels.max()) for view in views)
    return 5 * math.ceil(top / 5) if top > -150 else 0.0


def _sdr(reference: _View, difference: _View) -> str:
    if not reference.energy:
        return "reference silent, no SDR"
    if not difference.energy:
        return "SDR infinite, no difference"
    return f"SDR {10 * math.log10(reference.energy / difference.energy):.2f} dB in this part"


def _title(data: Dataset, track: Track, part: tuple[int, int]) -> str:
    first, last = (frame / track.sample_rate for frame in part)
    channels = {1: "mono", 2: "stereo"}.get(track.channels, f"{track.channels} channels")
    name = textwrap.shorten(track.name, 100, placeholder=" ...") if len(track.name) > 100 else track.name
    return (
        f"{data.name} / {track.split} / {name}\n"
        f"{first:.3f} to {last:.3f} s of {track.seconds:.3f} s, {track.sample_rate} Hz, {channels}"
    )


def _figure(title: str, rows: int, widths: list[float]) -> tuple[Figure, Any]:
    """A figure with (rows, columns) axes that share their time."""
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 1.75 * rows + 1.3), layout="constrained")
    axes = figure.subplots(rows, len(widths), sharex=True, squeeze=False, width_ratios=widths)
    # Names are written in every script; where no font has a letter, a box stands for it.
    fonts = ["DejaVu Sans", *sorted(_FONTS & set(font_manager.get_font_names()))]
    figure.suptitle(title, parse_math=False, family=fonts)
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
        axis.locator_params(axis="x", nbins=6)
    return figure, axes


def _wave(axis: Axes, view: _View, color: str, peak: float) -> None:
    seconds = np.linspace(*view.seconds, len(view.low))
    axis.fill_between(seconds, view.low, view.high, color=color, alpha=0.75, linewidth=0.4, label=view.name)
    limit = 1.05 * peak or 1.0
    axis.set(xlim=view.seconds, ylim=(-limit, limit), ylabel="amplitude")
    axis.spines[["top", "right"]].set_visible(False)


def _spectrogram(axis: Axes, view: _View, top: float) -> Any:
    """On a logarithmic axis of frequency, from 40 Hz on."""
    count = len(view.levels)
    edges = (np.arange(count + 1) - 0.5) * view.sample_rate / 2000 / (count - 1)  # kHz
    times = np.linspace(*view.seconds, view.levels.shape[1] + 1)
    image = axis.pcolormesh(
        times, np.maximum(edges, 1e-3), view.levels, cmap="magma", vmin=top - _RANGE_DB, vmax=top, rasterized=True
    )
    nyquist = view.sample_rate / 2000
    ticks = [tick for tick in (0.1, 0.3, 1, 3, 10, 30) if tick < nyquist]
    axis.set(yscale="log", ylim=(min(0.04, nyquist / 4), nyquist), ylabel="kHz")
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_yticks([], minor=True)
    return image
