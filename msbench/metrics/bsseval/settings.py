"""What BSSEval is asked to compute, with the names of museval's arguments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Scores = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # sdr, isr, sir, sar, perm


@dataclass(frozen=True)
class Settings:
    """museval's arguments, in its order.

    Attributes:
        window: Samples per window.
        hop: Samples between the starts of windows.
        compute_permutation: Whether estimates are matched to references.
        filters_len: Taps of the distortion filters.
        framewise_filters: Whether each window has its own filters.
        bsseval_sources_version: Whether the ratios are those of BSSEval v2's `bss_eval_sources`.
    """

    window: float
    hop: float
    compute_permutation: bool
    filters_len: int
    framewise_filters: bool
    bsseval_sources_version: bool

    @property
    def arguments(self) -> tuple[float, float, bool, int, bool, bool]:
        """As museval takes them by position."""
        flags = (self.framewise_filters, self.bsseval_sources_version)
        return (self.window, self.hop, self.compute_permutation, self.filters_len, *flags)

    def regular(self, length: int) -> bool:
        """Whether the windows of a track have at least one sample each and go forward."""
        return self.window >= 1 and (self.window >= length or self.hop > 0)


def windows(window: float, hop: float, length: int) -> list[tuple[int, int]]:
    """museval's windows (start, stop): those that fit whole, or one over everything."""
    starts = [t * hop if t else 0 for t in range(window_count(window, hop, length))]
    return [(int(start), int(min(start + window, length))) for start in starts]


def window_count(window: float, hop: float, length: int) -> int:
    """museval's number of windows. Rounded as there: with a fractional hop, `//` would lose one now and then."""
    return int(np.floor((length - window + hop) / hop)) if window < length else 1
