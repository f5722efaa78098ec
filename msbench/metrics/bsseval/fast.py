"""BSSEval from correlations alone: the scores of one stretch of audio, by filters estimated over it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise, permutations
from operator import iadd
from typing import Any

import numpy as np

from msbench.metrics.bsseval.correlation import Correlator, Stretch, StretchFile
from msbench.metrics.bsseval.energies import FORMS, Energies, synthesized_energies, window_energies
from msbench.metrics.bsseval.inputs import non_finite, silence_error
from msbench.metrics.bsseval.projection import solve_filters
from msbench.metrics.bsseval.settings import Scores, Settings
from msbench.records import METRICS

PAIRS = 8  # pairs of a reference and an estimate whose energies are found in one go
SDR, ISR, SIR, SAR = range(len(METRICS))
DOUBT_DB = 1e-7  # what rounding may move before museval's own digits are needed to be within 1e-6 dB of them
ROUNDING = 1e-15  # below this part of its terms, an energy is what rounding left of them
UNDERFLOW = 1e-280
TIE_DB = 1e-6  # permutations nearer than this are told apart by rounding alone

Span = tuple[int, int]  # start, stop


class Scorer:
    """Scores stretches of a track, one after the other.

    Args:
        correlator: Reads the track.
        settings: What is asked. Its windows are not looked at: they are given.
        strict: Give up where a value is not museval's to 1e-6 dB for certain.
    """

    def __init__(self, correlator: Correlator, settings: Settings, strict: bool) -> None:
        self.correlator, self.strict = correlator, strict
        self.sources, _, self.channels = correlator.references.shape
        ways = permutations(range(self.sources)) if settings.compute_permutation else [range(self.sources)]
        self.orders = np.array(list(ways))
        self.filtered_target = settings.bsseval_sources_version

    def scores(self, extent: Span, spans: list[Span], silence: bool = False) -> Scores | None:
        """The scores of windows, by filters estimated over the extent that holds them all.

        Args:
            extent: Where the filters are estimated.
            spans: The windows.
            silence: Whether a source may be silent all over the extent: the windows are NaN then.

        Returns:
            museval's five arrays, or None where strict asks for museval's own digits.

        Raises:
            ValueError: If a source is silent and may not be; if not strict, if a sample is not finite.
        """
        # Where windows lie end to end, their correlations and those across the cuts add up to the whole: one reading.
        tiled = all(a[1] == b[0] for a, b in pairwise(spans)) and spans[0][1] - spans[0][0] >= self.correlator.lags
        rest = [(spans[-1][1], extent[1])] if spans[-1][1] < extent[1] else []
        tiles = [*spans, *rest] if tiled else [extent]
        with StretchFile() as kept:
            track: Any = None
            for tile in self.correlator.stretches(tiles):
                kept.put(tile)
                track = iadd(track, tile) if track else tile
            track.correlations += self.correlator.edges(start for start, _ in tiles[1:])
            if track.silent.any():
                if not silence:
                    raise silence_error(int(np.argmax(track.silent)), self.sources)
                return self._best_order(np.full((4, self.sources, self.sources, len(spans)), np.nan))
            if not np.isfinite(track.energies).all():
                if self.strict:
                    return None
                self._check_finite()
            again = (lambda: kept.first(len(spans))) if tiled else (lambda: self.correlator.stretches(spans))
            found = self._ratios(track, spans, again)
        return None if found is None else self._best_order(found)

    def _ratios(self, track: Stretch, spans: list[Span], stretches: Any) -> np.ndarray | None:
        """(4, S, S, W), of each reference and estimate that an order pairs; None where strict gives up."""
        pairs = sorted({(j, int(e)) for order in self.orders for j, e in enumerate(order)})
        try:
            filters, noise = solve_filters(track, pairs, self.channels, self.strict, self.correlator.device)
        except np.linalg.LinAlgError:
            return None  # singular to rounding, which picks the solution
        ratios = np.empty((4, self.sources, self.sources, len(spans)))
        for group in (pairs[i : i + PAIRS] for i in range(0, len(pairs), PAIRS)):
            energies = window_energies(stretches(), filters, noise, group, self.channels, self.filtered_target)
            for w, p in np.argwhere(energies.cancelled):
                energies.values[w, p] = synthesized_energies(
                    self.correlator, filters, spans[w], group[p], self.channels, self.filtered_target
                )
            if self.strict and not _certain(energies, self.sources == 1, self.filtered_target):
                return None
            ratios[:, [j for j, _ in group], [e for _, e in group]] = _decibels(energies, self.filtered_target)
        return ratios

    def _best_order(self, ratios: np.ndarray) -> Scores | None:
        """The scores in the order of the best mean SIR, from (4, S, S, W); None if rounding alone would choose it."""
        references = np.arange(self.sources)
        with np.errstate(invalid="ignore"):
            means = np.array([np.mean(ratios[SIR, references, order]) for order in self.orders])
        if self.strict and len(self.orders) > 1 and not np.isnan(means).all():
            second, first = np.sort(means)[-2:]
            if not first - second > TIE_DB:
                return None
        best = self.orders[np.argmax(means)]  # the first where a window is silent, as in museval: NaN is its maximum
        chosen = ratios[:, references, best]
        return chosen[SDR], chosen[ISR], chosen[SIR], chosen[SAR], best[:, None]

    def _check_finite(self) -> None:
        fault = non_finite(self.correlator.references, self.correlator.estimates)
        if fault is not None:  # else the samples are finite, and their energy is not
            raise ValueError(fault)


def joined(scores: Iterable[Scores]) -> Scores:
    """The scores of windows, scored one by one, side by side."""
    sdr, isr, sir, sar, perm = (np.concatenate(part, axis=1) for part in zip(*scores, strict=True))
    return sdr, isr, sir, sar, perm


def _decibels(energies: Energies, filtered_target: bool) -> np.ndarray:
    """SDR, ISR, SIR and SAR, (4, P, W)."""
    error, spatial_error, spatial, interference, everything, artifacts = np.moveaxis(energies.values, -1, 0)
    target = energies.target
    if filtered_target:
        target, spatial_error = spatial, np.full_like(spatial_error, np.nan)  # BSSEval v2 has no ISR
    signal = np.stack([target, target, spatial, everything])
    noise = np.stack([error, spatial_error, interference, artifacts])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(noise == 0, np.inf, 10 * np.log10(signal / noise))
    ratios[:, energies.silent] = np.nan
    return ratios.transpose(0, 2, 1)


def _certain(energies: Energies, single: bool, filtered_target: bool) -> bool:
    """Whether every value is known, and not what rounding made of it, in museval as here."""
    sounding = ~energies.silent
    values, changes, terms = (part[sounding] for part in (energies.values, energies.changes, energies.terms))
    target = energies.target[sounding]
    # What is added up before it is squared: all that sounds, but for the two energies of the reference by itself.
    scale = np.broadcast_to(terms.max(axis=2, keepdims=True), terms.shape).copy()
    scale[..., 1:3] = terms[..., 1:3].max(axis=2, keepdims=True)
    exact = np.zeros(values.shape, bool)
    exact[..., FORMS.index("interference")] = single  # zero, and museval's is zero too
    exact[..., FORMS.index("spatial_error")] = filtered_target  # not used
    known = exact | ((values > ROUNDING * scale) & (values > UNDERFLOW))
    with np.errstate(divide="ignore", invalid="ignore"):
        shifts = np.where(exact, 0, changes / values)
    sdr = shifts[..., 2] - shifts[..., 0] if filtered_target else shifts[..., 0]
    moved = np.abs([sdr, shifts[..., 1], shifts[..., 2] - shifts[..., 3], shifts[..., 4] - shifts[..., 5]])
    return bool(known.all() and (target > UNDERFLOW).all() and (10 / np.log(10) * moved < DOUBT_DB).all())
