"""BSSEval v4 to museval's number, many times faster.

Conventions: references and estimates are (source, time, channel), as museval's.

Method: SDR, ISR, SIR and SAR are ratios of energies. The distortion filters follow from the correlations of the whole
track at lags below 512 (projection.py), and so do the energies of each window from the window's own (energies.py).
The audio is read once, block by block (correlation.py), in float64 throughout.

References:
    E. Vincent, R. Gribonval, C. Févotte, "Performance measurement in blind audio source separation", IEEE TASLP 2006.
    F.-R. Stöter, A. Liutkus, N. Ito, "The 2018 Signal Separation Evaluation Campaign", LVA/ICA 2018.
"""

from __future__ import annotations

import logging
from itertools import pairwise, permutations
from operator import iadd
from typing import TYPE_CHECKING, Any

import numpy as np

from msbench.metrics.bsseval.correlation import Correlator, Stretch, StretchFile, available_workers
from msbench.metrics.bsseval.energies import FORMS, Energies, synthesized_energies, window_energies
from msbench.metrics.bsseval.museval import museval_metrics
from msbench.metrics.bsseval.projection import solve_filters
from msbench.metrics.signals import readable
from msbench.records import METRICS

if TYPE_CHECKING:
    import torch

BACKENDS = ("fast", "museval")
PAIRS = 8  # pairs of a reference and an estimate whose energies are found in one go
SDR, ISR, SIR, SAR = range(len(METRICS))
DOUBT_DB = 1e-7  # what rounding may move before museval's own digits are needed to be within 1e-6 dB of them
ROUNDING = 1e-15  # below this part of its terms, an energy is what rounding left of them
UNDERFLOW = 1e-280
TIE_DB = 1e-6  # permutations nearer than this are told apart by rounding alone

Scores = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
log = logging.getLogger(__name__)


def bss_eval(
    references: Any,
    estimates: Any,
    window: float = 2 * 44100,
    hop: float = 66150,
    compute_permutation: bool = False,
    filters_len: int = 512,
    framewise_filters: bool = False,
    bsseval_sources_version: bool = False,
    *,
    backend: str = "fast",
    strict: bool = True,
    workers: int | None = None,
    device: str | torch.device | None = None,
) -> Scores:
    """BSSEval v4 as museval 0.4.1 computes it, within 1e-6 dB, with the same NaN and infinities.

    Args:
        references: (S, T, C), the true sources: an array, a tensor, or anything with that `shape` whose `[:, a:b]` is
            an array, such as a memory map or a reader of files; it is read in blocks, in order.
        estimates: The same for the estimates.
        window: Samples of a window; as long as the track or longer (`numpy.inf`): a single one.
        hop: Samples between the starts of windows.
        compute_permutation: Match estimates to references by the best mean SIR.
        filters_len: Taps of the distortion filters.
        framewise_filters: Filters anew in each window, as BSSEval v3: by museval's code.
        bsseval_sources_version: The ratios of BSSEval v2's `bss_eval_sources`: by museval's code.
        backend: `fast`, or `museval`: its code, time and memory.
        strict: With `fast`: where a value is rounding noise in museval too (a perfect estimate; references without any
            noise at some frequencies), only its own arithmetic gives its digits, so that museval's code scores the
            track. With False, the fast value stays: as good a number, in bounded time and memory.
        workers: Threads of the fast backend; by default OMP_NUM_THREADS, else every core. The linear algebra follows
            OMP_NUM_THREADS alone: set it to 1 where tracks are scored in parallel processes.
        device: Where torch correlates and solves for the fast backend, in float64 (`cuda`); numpy and scipy do, on the
            CPU, when None.

    Returns:
        sdr, isr, sir, sar in dB, (S, windows), and perm (S, 1). NaN for all sources in a window where any source is
        silent: where its channels sum to zero at every sample.

    Raises:
        ValueError: If the shapes differ or are not (S, T, C), if a sample is not finite, if a source is silent from
            end to end, or if an argument is out of its range.

    >>> rng = np.random.default_rng(0)
    >>> references = rng.standard_normal((2, 4000, 1))
    >>> sdr, isr, sir, sar, perm = bss_eval(references, references + 0.1 * references[::-1], window=1000, hop=1000)
    >>> sdr.shape, bool(abs(sdr.mean() - 20) < 1)
    ((2, 4), True)
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend '{backend}': choose {' or '.join(BACKENDS)}")
    references, estimates = readable(references), readable(estimates)
    _check(references, estimates, window, hop, filters_len)
    arguments = (window, hop, compute_permutation, filters_len, framewise_filters, bsseval_sources_version)
    if backend == "fast" and not framewise_filters and not bsseval_sources_version and 0 not in references.shape:
        correlator = Correlator(references, estimates, filters_len, workers or available_workers(), device)
        scores = _fast(correlator, windows(window, hop, references.shape[1]), compute_permutation, strict)
        if scores is not None:
            return scores
        log.info("some values are rounding noise: scored by museval's own arithmetic (strict=False: not)")
    return _museval(references, estimates, *arguments)


def _museval(references: Any, estimates: Any, *arguments: Any) -> Scores:
    """museval's own scores, of all the samples at once."""
    references, estimates = (signals[:, 0 : signals.shape[1]] for signals in (references, estimates))
    _check_finite(references, estimates)
    with np.errstate(all="ignore"):
        try:
            scores: Scores = museval_metrics().bss_eval(references, estimates, *arguments)
        except np.linalg.LinAlgError as error:
            raise ValueError(f"the samples are too large for BSSEval in double precision ({error})") from error
    return scores


def windows(window: float, hop: float, length: int) -> list[tuple[int, int]]:
    """museval's windows (start, stop): those that fit whole, or one over everything."""
    count = int((length - window + hop) // hop) if window < length else 1
    starts = [t * hop if t else 0 for t in range(count)]
    return [(int(start), int(min(start + window, length))) for start in starts]


def _fast(
    correlator: Correlator, spans: list[tuple[int, int]], compute_permutation: bool, strict: bool
) -> Scores | None:
    """Scores of the windows `spans`, or None where strict asks for museval's own digits."""
    sources, length, channels = correlator.references.shape
    orders = np.array(list(permutations(range(sources))) if compute_permutation else [range(sources)])
    pairs = sorted({(j, int(e)) for order in orders for j, e in enumerate(order)})
    # Where windows lie end to end, their correlations and those across the cuts add up to the track's: one reading.
    tiled = all(a[1] == b[0] for a, b in pairwise(spans)) and spans[0][1] >= correlator.lags
    rest = [(spans[-1][1], length)] if spans[-1][1] < length else []
    tiles = [*spans, *rest] if tiled else [(0, length)]
    with StretchFile() as kept:
        track: Any = None
        for tile in correlator.stretches(tiles):
            kept.put(tile)
            track = iadd(track, tile) if track else tile
        track.correlations += correlator.edges(start for start, _ in tiles[1:])
        _check_track(track, correlator)
        if strict and not np.isfinite(track.energies).all():
            return None  # the samples are finite, their energy is not
        try:
            filters, noise = solve_filters(track, pairs, channels, strict, correlator.device)
        except np.linalg.LinAlgError:
            return None  # singular to rounding, which picks the solution
        ratios = np.empty((4, sources, sources, len(spans)))
        for group in (pairs[i : i + PAIRS] for i in range(0, len(pairs), PAIRS)):
            stretches = kept.first(len(spans)) if tiled else correlator.stretches(spans)
            energies = window_energies(stretches, filters, noise, group, channels)
            for w, p in np.argwhere(energies.cancelled):
                energies.values[w, p] = synthesized_energies(correlator, filters, spans[w], group[p], channels)
            if strict and not _certain(energies, single=sources == 1):
                return None
            ratios[:, [j for j, _ in group], [e for _, e in group]] = _decibels(energies)
    return _best_order(ratios, orders, strict)


def _decibels(energies: Energies) -> np.ndarray:
    """SDR, ISR, SIR and SAR, (4, P, W)."""
    error, spatial_error, spatial, interference, everything, artifacts = np.moveaxis(energies.values, -1, 0)
    signal = np.stack([energies.target, energies.target, spatial, everything])
    noise = np.stack([error, spatial_error, interference, artifacts])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(noise == 0, np.inf, 10 * np.log10(signal / noise))
    ratios[:, energies.silent] = np.nan
    return ratios.transpose(0, 2, 1)


def _certain(energies: Energies, single: bool) -> bool:
    """Whether every value is known, and not what rounding made of it, in museval as here."""
    sounding = ~energies.silent
    values, changes, terms = (part[sounding] for part in (energies.values, energies.changes, energies.terms))
    target = energies.target[sounding]
    # What is added up before it is squared: all that sounds, but for the two energies of the reference by itself.
    scale = np.broadcast_to(terms.max(axis=2, keepdims=True), terms.shape).copy()
    scale[..., 1:3] = terms[..., 1:3].max(axis=2, keepdims=True)
    exact = np.zeros(values.shape, bool)
    exact[..., FORMS.index("interference")] = single  # zero, and museval's is zero too
    known = exact | ((values > ROUNDING * scale) & (values > UNDERFLOW))
    with np.errstate(divide="ignore", invalid="ignore"):
        shifts = np.where(exact, 0, changes / values)
    moved = np.abs([shifts[..., 0], shifts[..., 1], shifts[..., 2] - shifts[..., 3], shifts[..., 4] - shifts[..., 5]])
    return bool(known.all() and (target > UNDERFLOW).all() and (10 / np.log(10) * moved < DOUBT_DB).all())


def _best_order(ratios: np.ndarray, orders: np.ndarray, strict: bool) -> Scores | None:
    """The scores in the order of the best mean SIR, from (4, S, S, W); None if rounding alone would choose it."""
    references = np.arange(ratios.shape[1])
    with np.errstate(invalid="ignore"):
        means = np.array([np.mean(ratios[SIR, references, order]) for order in orders])
    if strict and len(orders) > 1 and not np.isnan(means).all():
        second, first = np.sort(means)[-2:]
        if not first - second > TIE_DB:
            return None
    best = orders[np.argmax(means)]  # the first order where a window is silent, as in museval: NaN is its maximum
    chosen = ratios[:, references, best]
    return chosen[SDR], chosen[ISR], chosen[SIR], chosen[SAR], best[:, None]


def _check(references: Any, estimates: Any, window: float, hop: float, filters_len: int) -> None:
    """The arguments, by what can be told without reading."""
    shape = tuple(references.shape)
    if len(shape) != 3:
        raise ValueError(f"references must be (source, time, channel), not of shape {shape}")
    if shape != tuple(estimates.shape):
        raise ValueError(f"references and estimates differ in shape: {shape} and {tuple(estimates.shape)}")
    if filters_len < 1:
        raise ValueError(f"filters_len must be 1 or more, not {filters_len}")
    if not window >= 1 or not hop >= 1:
        raise ValueError(f"window and hop must be 1 sample or more, not {window} and {hop}")
    if hop == np.inf and window < shape[1]:
        raise ValueError(f"hop must be finite where the window ({window}) is shorter than the track ({shape[1]})")


def _check_track(track: Stretch, correlator: Correlator) -> None:
    """The samples, by what reading them told."""
    if not np.isfinite(track.energies).all():
        length = correlator.references.shape[1]
        for start in range(0, length, 2**18):
            _check_finite(*correlator.read(start, min(start + 2**18, length)), start=start)
    for source in np.flatnonzero(track.silent):
        name = _name(int(source), len(track.silent) // 2)
        raise ValueError(f"{name} is silent from end to end (its channels sum to zero), where BSSEval is undefined")


def _check_finite(references: np.ndarray, estimates: np.ndarray, start: int = 0) -> None:
    for source, signal in enumerate((*references, *estimates)):
        bad = ~np.isfinite(signal).all(axis=-1)
        if bad.any():
            name = _name(source, len(references))
            raise ValueError(f"{name} holds NaN or infinity at sample {start + int(np.argmax(bad))}")


def _name(source: int, count: int) -> str:
    return f"references[{source}]" if source < count else f"estimates[{source - count}]"
