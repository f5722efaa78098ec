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

import functools
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from msbench.metrics.bsseval.correlation import Correlator, available_workers
from msbench.metrics.bsseval.fast import Scorer, Span, joined
from msbench.metrics.bsseval.inputs import as_sources, check, check_shapes, non_finite, silence_error, silent_source
from msbench.metrics.bsseval.museval import museval_scores
from msbench.metrics.bsseval.settings import Scores, Settings, windows

if TYPE_CHECKING:
    import torch

Function = TypeVar("Function", bound=Callable[..., Any])
BACKENDS = ("fast", "museval")
log = logging.getLogger(__name__)


def _with_earlier_names(function: Function) -> Function:
    """Take the keywords `references` and `estimates` too, which msbench 0.1.0 had in place of museval's."""

    @functools.wraps(function)
    def called(*sources: Any, **options: Any) -> Any:
        for earlier, name in (("references", "reference_sources"), ("estimates", "estimated_sources")):
            if earlier in options and name not in options:
                options[name] = options.pop(earlier)
        return function(*sources, **options)

    return cast("Function", called)


@_with_earlier_names
def bss_eval(
    reference_sources: Any,
    estimated_sources: Any,
    window: float = 2 * 44100,
    hop: float = 1.5 * 44100,
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
    """BSSEval v4 as museval 0.4.1 computes it: a drop-in for `museval.metrics.bss_eval`.

    It takes what museval takes and returns what museval returns, within 1e-6 dB, with the same NaN and infinities;
    it warns as museval does, and its errors are of museval's kinds. That holds for museval's quirks too, where its own
    code does the work: with NaN or infinity among the samples (only the scores that they reach are NaN; a log message
    names the first), with windows of less than one sample, and with `bsseval_sources_version` where a ratio is
    infinite (an AttributeError). Two things differ on purpose. Singular references are solved by least squares, as
    museval means to do; with numpy 2, museval itself stops there with an AttributeError. And errors say what is wrong
    in msbench's words.

    Args:
        reference_sources: (S, T, C), the true sources; or (S, T), sources of one channel; or (T,), one source. An
            array, a list, a tensor, or anything with such a `shape` whose `[:, a:b]` is an array, such as a memory map
            or a reader of files; it is read in blocks, in order.
        estimated_sources: The same for the estimates.
        window: Samples of a window; as long as the track or longer (`numpy.inf`): a single one.
        hop: Samples between the starts of windows.
        compute_permutation: Match estimates to references by the best mean SIR.
        filters_len: Taps of the distortion filters.
        framewise_filters: New filters in each window, as BSSEval v3.
        bsseval_sources_version: The ratios of BSSEval v2's `bss_eval_sources`, which has no ISR (NaN).
        backend: `fast`, or `museval`: its code, time and memory.
        strict: With `fast`: where a value is rounding noise in museval too (a perfect estimate; references without any
            noise at some frequencies), only its own arithmetic gives its digits, so that museval's code scores the
            track, or the window where windows have their own filters. With False, the fast value stays: as good a
            number, in bounded time and memory; and a sample that is not finite is an error.
        workers: Threads of the fast backend; by default OMP_NUM_THREADS, else every core. The linear algebra follows
            OMP_NUM_THREADS alone: set it to 1 where tracks are scored in parallel processes.
        device: Where torch correlates and solves for the fast backend, in float64 (`cuda`); numpy and scipy do, on the
            CPU, when None.

    Returns:
        sdr, isr, sir, sar in dB, (S, windows), and perm (S, 1), or (S, windows) with `framewise_filters`. NaN for all
        sources in a window where any source is silent: where its channels sum to zero at every sample. Five empty
        arrays, with a UserWarning, where the inputs are empty.

    Raises:
        ValueError: If the shapes differ or have more than three dimensions, if there are more than 100 sources, if a
            source is silent from end to end, or if an argument is out of its range.
        TypeError: If samples are no real numbers, or `filters_len` is no integer.
        ZeroDivisionError: If the hop is zero and the window shorter than the track.

    >>> rng = np.random.default_rng(0)
    >>> references = rng.standard_normal((2, 4000, 1))
    >>> sdr, isr, sir, sar, perm = bss_eval(references, references + 0.1 * references[::-1], window=1000, hop=1000)
    >>> sdr.shape, bool(abs(sdr.mean() - 20) < 1)
    ((2, 4), True)
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend '{backend}': choose {' or '.join(BACKENDS)}")
    references, estimates = as_sources(reference_sources), as_sources(estimated_sources)
    flags = (framewise_filters, bsseval_sources_version)
    settings = Settings(window, hop, compute_permutation, filters_len, *flags)
    check_shapes(references, estimates)
    if 0 in references.shape:
        return museval_scores(references, estimates, settings)
    check(references, estimates, settings)
    if backend == "museval" or not settings.regular(references.shape[1]):
        return _by_museval(references, estimates, settings)
    correlator = Correlator(references, estimates, filters_len, workers or available_workers(), device)
    return _fast_scores(correlator, settings, strict)


def _fast_scores(correlator: Correlator, settings: Settings, strict: bool) -> Scores:
    """The fast backend's scores, or museval's where strict wants its digits."""
    references, estimates = correlator.references, correlator.estimates
    whole = 0, references.shape[1]
    spans = windows(settings.window, settings.hop, whole[1])
    scorer = Scorer(correlator, settings, strict)
    if not settings.framewise_filters or spans == [whole]:
        return scorer.scores(whole, spans) or _in_doubt(correlator, settings, whole)
    silent = silent_source(references, estimates)
    if silent is not None:
        raise silence_error(silent, scorer.sources)
    alone = replace(settings, window=np.inf, hop=np.inf)
    return joined(scorer.scores(span, [span], silence=True) or _in_doubt(correlator, alone, span) for span in spans)


def _in_doubt(correlator: Correlator, settings: Settings, span: Span) -> Scores:
    """museval's scores of a stretch of the track."""
    log.info("some values are rounding noise: scored by museval's own arithmetic (strict=False: not)")
    return _by_museval(*correlator.read(*span), settings, span[0])


def _by_museval(references: Any, estimates: Any, settings: Settings, first: int = 0) -> Scores:
    """museval's scores; its samples are counted from `first`."""
    fault = non_finite(references, estimates, first)
    if fault is not None:
        log.warning("%s: the scores that it reaches are NaN", fault)
    return museval_scores(references, estimates, settings)
