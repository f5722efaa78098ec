"""What `bss_eval` takes: the shapes that museval takes, and errors of museval's kinds for the rest."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from msbench.metrics.bsseval.settings import Settings, window_count
from msbench.metrics.signals import readable

MAX_SOURCES = 100  # museval's
BLOCK = 2**18  # samples looked at in one go


def as_sources(signals: Any) -> Any:
    """Signals as (source, time, channel), by museval's rules: (T,) is one source, (S, T) are sources of one channel.

    What has three dimensions is left as it is, so that a reader or a memory map is still read in blocks.
    """
    signals = readable(signals)
    dimensions = len(signals.shape)
    if dimensions > 2:
        return signals
    if dimensions == 2 and not hasattr(signals, "__array__"):  # a reader
        signals = signals[:, 0 : signals.shape[1]]
    return np.atleast_3d(signals)


def check_shapes(references: Any, estimates: Any) -> None:
    """Both are of one shape that museval takes, or empty.

    Raises:
        ValueError: If they are not.
    """
    shape = tuple(references.shape)
    if shape != tuple(estimates.shape):
        raise ValueError(f"references and estimates differ in shape: {shape} and {tuple(estimates.shape)}")
    if len(shape) > 3:
        raise ValueError(f"references must be (source, time, channel), not of shape {shape}")


def check(references: Any, estimates: Any, settings: Settings) -> None:
    """The arguments, by what can be told without reading: what museval's code would stop at, in its kind of error.

    Raises:
        ValueError: If there are more sources than museval takes, or an argument is out of its range.
        TypeError: If samples are no real numbers, or `filters_len` is no integer.
        ZeroDivisionError: If the hop is zero.
        OverflowError: If the window is minus infinity.
    """
    sources, length, _ = references.shape
    if sources > MAX_SOURCES:
        raise ValueError(f"references and estimates have {sources} sources, more than museval's {MAX_SOURCES}")
    for name, signals in (("references", references), ("estimates", estimates)):
        dtype = getattr(signals, "dtype", None)
        if dtype is not None and np.dtype(dtype).kind not in "biuf":
            raise TypeError(f"the samples of the {name} must be real numbers, not of type {dtype}")
    _check_filters(settings.filters_len)
    _check_windows(settings, length)


def _check_filters(filters_len: int) -> None:
    try:
        operator.index(filters_len)
    except TypeError:
        raise TypeError(f"filters_len must be an integer, not {filters_len}") from None
    if filters_len < 1:
        raise ValueError(f"filters_len must be 1 or more, not {filters_len}")


def _check_windows(settings: Settings, length: int) -> None:
    window, hop = settings.window, settings.hop
    if not window < length:
        return
    if window == -np.inf:
        raise OverflowError("window must be 1 sample or more, not minus infinity")
    if hop == 0:
        raise ZeroDivisionError("hop must be more than zero where the window is shorter than the track")
    if not np.isfinite(hop):
        raise ValueError(f"hop must be finite where the window ({window}) is shorter than the track ({length})")
    if window_count(window, hop, length) < 0:
        raise ValueError(f"hop must be more than zero, not {hop}")


def non_finite(references: Any, estimates: Any, first: int = 0) -> str | None:
    """Where the first sample is that is NaN or infinite, in words, counted from `first`; None if there is none."""
    length = references.shape[1]
    for start in range(0, length, BLOCK):
        stop = min(start + BLOCK, length)
        blocks = (*references[:, start:stop], *estimates[:, start:stop])
        for source, signal in enumerate(blocks):
            bad = ~np.isfinite(signal).all(axis=-1)
            if bad.any():
                name = source_name(source, len(blocks) // 2)
                return f"{name} holds NaN or infinity at sample {first + start + int(np.argmax(bad))}"
    return None


def silent_source(references: Any, estimates: Any) -> int | None:
    """The first source that is silent from end to end by museval's rule, numbered as by `source_name`.

    Looks no further than the last source's first sound: a block, nearly always.
    """
    sources, length, _ = references.shape
    silent = np.ones(2 * sources, bool)
    for start in range(0, length, BLOCK):
        stop = min(start + BLOCK, length)
        for source, signal in enumerate((*references[:, start:stop], *estimates[:, start:stop])):
            silent[source] &= not np.any(signal.sum(axis=1))
        if not silent.any():
            return None
    return int(np.argmax(silent))


def silence_error(source: int, sources: int) -> ValueError:
    """The error of a source that is silent from end to end."""
    name = source_name(source, sources)
    return ValueError(f"{name} is silent from end to end (its channels sum to zero), where BSSEval is undefined")


def source_name(source: int, sources: int) -> str:
    """What a source is called in errors: the references are numbered first, then the estimates."""
    return f"references[{source}]" if source < sources else f"estimates[{source - sources}]"
